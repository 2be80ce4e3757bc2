"""What a dataset is called when nobody says."""

from retinue.upload import name_of


def test_names(tmp_path, monkeypatch):
    (tmp_path / "set.data").mkdir()
    monkeypatch.chdir(tmp_path / "set.data")
    for what, name in {
        "pets.tar.gz": "pets", "My pets.zip": "My pets", "film.mp4": "film", ".": "set.data", tmp_path / "set.data": "set.data",
        "https://host/a/my%20pets.tar.zst?sig=1": "my pets", "s3://sets/pets/": "pets", "s3://sets/v1.2": "v1.2", "s3://sets": "s3://sets",
        "https://host/": "https://host/",
    }.items():  # fmt: skip
        assert name_of(what) == name
