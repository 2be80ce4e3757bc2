"""Files of the corpus that are too large to be committed, by row and name."""

import json

from tests.corpus.bases import COCO, PATHS

MADE = {
    "46_yolo_million_lines": {"million.txt": lambda: b"0 0.5 0.5 0.25 0.5\n" * 10**6},
    "58_yaml_names": {
        "hundred_thousand.yaml": lambda: PATHS.encode() + b"names:\n" + b"".join(b"- c%d\n" % i for i in range(10**5))
    },
    "61_yaml_text": {"fifty_megabytes.yaml": lambda: PATHS.encode() + b"# more\n" * (50_000_000 // 7)},
    "73_coco_json": {
        "deep.json": lambda: json.dumps({**COCO, "info": 0}).replace("0}", "[" * 10**5 + "]" * 10**5 + "}").encode()
    },
}
