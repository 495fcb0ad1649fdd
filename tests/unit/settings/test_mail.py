import pytest

from tallystick.kernel.errors import SetupError
from tallystick.settings import problems, read_settings


def settings_of(**variables: str) -> object:
    return read_settings({"TALLYSTICK_HOME": "/nowhere", **variables}, 1000)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://user:pass%20word@mail.example:587",
        "smtps://mail.example",
        "smtp://127.0.0.1:2525?tls=none",
        "file:///var/mail/tallystick",
    ],
)
def test_a_server_or_a_folder_takes_mail(url: str) -> None:
    settings = read_settings(
        {
            "TALLYSTICK_HOME": "/nowhere",
            "TALLYSTICK_MAIL_URL": url,
            "TALLYSTICK_MAIL_FROM": "billing@example.com",
        },
        1000,
    )
    assert settings.mail_configured
    assert not [one for one in problems(settings) if "MAIL" in one]


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:99999",
        "smtp://user:secret@mail.example?tls=none",
        "smtp://mail.example?tls=maybe",
        "smtp://mail.example/inbox",
        "file://host/folder",
        "file:folder",
    ],
)
def test_what_is_no_address_of_mail_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SetupError, match="TALLYSTICK_MAIL_URL") as refused:
        settings_of(TALLYSTICK_MAIL_URL=url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("address", ["billing", "billing@example", "a b@example.com", "@x.com"])
def test_mail_comes_from_an_address(address: str) -> None:
    with pytest.raises(SetupError, match="TALLYSTICK_MAIL_FROM"):
        settings_of(TALLYSTICK_MAIL_FROM=address)


def test_mail_from_nobody_is_told() -> None:
    settings = read_settings(
        {"TALLYSTICK_HOME": "/nowhere", "TALLYSTICK_MAIL_URL": "file:///tmp"}, 1000
    )
    assert not settings.mail_configured
    assert any("TALLYSTICK_MAIL_FROM" in one for one in problems(settings))
