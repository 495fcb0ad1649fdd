import pytest
from argon2 import extract_parameters

from tallystick.accounts.passwords import Cost, Passwords, _decoy
from tallystick.kernel.errors import BadInput

WEAK = Cost(rounds=1, memory_kib=8, lanes=1)


async def test_a_password_is_recognised_and_another_is_not() -> None:
    passwords = Passwords(WEAK)
    kept = await passwords.hash("correct horse")
    assert await passwords.verify(kept, "correct horse")
    assert not await passwords.verify(kept, "correct horsf")
    assert "correct" not in kept


async def test_two_hashes_of_one_password_differ() -> None:
    passwords = Passwords(WEAK)
    assert await passwords.hash("correct horse") != await passwords.hash("correct horse")


@pytest.mark.parametrize("password", ["", "seven77", "ü" * 3, "x" * 1025, "ü" * 513])
async def test_a_password_must_have_8_to_1024_bytes(password: str) -> None:
    passwords = Passwords(WEAK)
    with pytest.raises(BadInput) as caught:
        await passwords.hash(password)
    assert caught.value.errors[0].field == "password"
    assert not await passwords.verify(await passwords.hash("12345678"), password)


@pytest.mark.parametrize("password", ["12345678", "üüüü", "x" * 1024, "with space \t and \u2603"])
async def test_the_bounds_themselves_are_taken(password: str) -> None:
    passwords = Passwords(WEAK)
    assert await passwords.verify(await passwords.hash(password), password)


async def test_all_of_a_long_password_counts() -> None:
    passwords = Passwords(WEAK)
    kept = await passwords.hash("x" * 1023 + "a")
    assert not await passwords.verify(kept, "x" * 1023 + "b")


@pytest.mark.parametrize("cost", [WEAK, Cost(rounds=2, memory_kib=16, lanes=2), Cost()])
async def test_an_unknown_person_costs_one_hash_of_todays_cost_and_never_matches(
    cost: Cost,
) -> None:
    passwords = Passwords(cost)
    assert not await passwords.verify(None, "12345678")
    made, decoy = await passwords.hash("12345678"), _decoy(cost)
    assert extract_parameters(decoy) == extract_parameters(made)
    # The decoy is worked through to its end: it is well formed, merely not equal.
    assert not await passwords.verify(decoy, "12345678")
    assert len(decoy) == len(made)


async def test_a_damaged_hash_matches_nothing() -> None:
    assert not await Passwords(WEAK).verify("$argon2id$damaged", "12345678")


async def test_a_hash_of_another_cost_is_to_be_made_anew() -> None:
    kept = await Passwords(WEAK).hash("12345678")
    stronger = Passwords(Cost(rounds=2, memory_kib=8, lanes=1))
    assert not Passwords(WEAK).needs_rehash(kept)
    assert stronger.needs_rehash(kept)
    assert await stronger.verify(kept, "12345678")
