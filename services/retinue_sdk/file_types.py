"""Which files a dataset is made of, by the end of their names, and which must not be in one."""

from __future__ import annotations

SUFFIXES = {
    ".bmp": {"BMP"}, ".gif": {"GIF"}, ".jpg": {"JPEG", "MPO"}, ".jpeg": {"JPEG", "MPO"}, ".mpo": {"MPO", "JPEG"},
    ".png": {"PNG"}, ".pgm": {"PPM"}, ".ppm": {"PPM"}, ".tif": {"TIFF"}, ".tiff": {"TIFF"}, ".webp": {"WEBP"},
}  # fmt: skip
TEXTS = {
    ".csv", ".data", ".json", ".jsonl", ".labels", ".md", ".names", ".ndjson", ".tsv", ".txt", ".xml", ".yaml", ".yml",
}  # fmt: skip
TABLES = {".arrow", ".parquet"}  # may hold images; nothing in them is run
ARCHIVES = {".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"}
# Code, or containers that run code when they are loaded: ultralytics unpickles any labels.cache it finds.
REFUSED = {
    ".bat", ".bin", ".cache", ".ckpt", ".cmd", ".com", ".dill", ".dll", ".dylib", ".exe", ".h5", ".hta", ".htm", ".html",
    ".ipynb", ".jar", ".joblib", ".js", ".keras", ".mjs", ".msi", ".npy", ".npz", ".onnx", ".pickle", ".pkl", ".ps1", ".pt",
    ".pth", ".py", ".pyc", ".pyd", ".pyo", ".pyx", ".safetensors", ".sh", ".so", ".torchscript", ".vbs", ".whl",
}  # fmt: skip
