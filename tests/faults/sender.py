"""A person's upload as a process that can be killed: `python -m tests.faults.sender URL PROJECT FILE LEDGER`.

The token comes on standard input. Each chunk that is sent, and each refusal, is a line of the ledger.
"""

import sys
from pathlib import Path

import httpx

from retinue.session import Session
from retinue.upload import send


def main() -> None:
    """Send the file; print the upload's id."""
    url, project, file, ledger = sys.argv[1:]
    session = Session(url, sys.stdin.readline().strip())
    with Path(ledger).open("a", buffering=1) as lines:

        def sending(request: httpx.Request) -> None:
            if request.method == "PUT":
                lines.write(f"put {request.url.params['offset']} {request.headers['Content-Length']}\n")

        def answered(answer: httpx.Response) -> None:
            if answer.status_code == httpx.codes.CONFLICT:
                lines.write("409\n")

        session.client.http.event_hooks = {"request": [sending], "response": [answered]}
        print(send(session, project, Path(file), lambda _sent, _size: None))


if __name__ == "__main__":
    main()
