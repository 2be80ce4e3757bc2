"""What the embedded hub hands to its services."""

from hub_config.services import PLATFORM_SETTINGS, make_services
from hub_config.settings import HubSettings

from retinue_platform.settings import Settings


def test_every_setting_of_the_platform_reaches_it(tmp_path, monkeypatch):
    for name in PLATFORM_SETTINGS:
        monkeypatch.setenv(name, f"of {name}")
    platform, *_ = make_services(HubSettings(data=tmp_path), tmp_path / "token")
    settings = {
        f"RETINUE_{name.upper()}" for name, field in Settings.model_fields.items() if not field.validation_alias
    }
    assert settings == settings & platform["environment"].keys()
    assert platform["environment"]["RETINUE_SOURCES"] == "of RETINUE_SOURCES"
