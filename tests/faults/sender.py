"""A person's upload as a process that can be killed: `python -m tests.faults.sender URL PROJECT FILE LEDGER`.

The token comes on standard input, and after it a line when the first chunk may be sent. Lines of the ledger say that it is
about to be, and each chunk that is sent and each refusal.
"""

import sys
from pathlib import Path

import httpx

from retinue.session import Session
from retinue.upload import sending


def main() -> None:
    """Send the file; print the upload's id."""
    url, project, file, ledger = sys.argv[1:]
    session = Session(url, sys.stdin.readline().strip())
    begun: list[int] = []
    with Path(ledger).open("a", buffering=1) as lines:

        def asked(request: httpx.Request) -> None:
            if request.method == "PUT":
                if not begun:
                    begun.append(lines.write("ready\n"))
                    sys.stdin.readline()
                lines.write(f"put {request.url.params['offset']} {request.headers['Content-Length']}\n")

        def answered(answer: httpx.Response) -> None:
            if answer.status_code == httpx.codes.CONFLICT:
                lines.write("409\n")

        session.client.http.event_hooks = {"request": [asked], "response": [answered]}
        with sending(session, project, Path(file), lambda _sent, _size: None) as upload:
            print(upload)


if __name__ == "__main__":
    main()
