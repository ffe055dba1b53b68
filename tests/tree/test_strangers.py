"""Who holds the wrong key is told which one signed, and whether that is a rotated key, another generation or another log."""

from __future__ import annotations

import pytest

from indelible.errors import Unproven
from indelible.tree.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from indelible.tree.keys import NoteKey, SigningKey
from indelible.tree.merkle import EMPTY_ROOT
from indelible.tree.policy import NONE, Party, Policy, evaluate
from indelible.tree.strangers import first_generation

LOG = "trail.example/v1/logs/default"
KEY, NEW = SigningKey(LOG, bytes([1] * 32)), SigningKey(LOG, bytes([2] * 32))


def told(signers: list[SigningKey], *given: NoteKey) -> str:
    """The sentence for a checkpoint of the first signer's log."""
    note = sign_checkpoint(Checkpoint(signers[0].public.name, 0, EMPTY_ROOT), signers)
    with pytest.raises(Unproven) as error:
        evaluate(Policy(tuple(Party(key, None) for key in given), {}, {}, NONE), note)
    return error.value.detail


def named(key: SigningKey) -> str:
    return f"'{key.public.name}' ({key.public.id.hex()})"


def test_a_rotated_key_is_told_by_both_ids() -> None:
    said = told([NEW], KEY.public)
    assert said.startswith(f"not signed by {named(KEY)}: its signatures are by {named(NEW)}; either its key was rotated")
    assert "or somebody else signed this" in said


def test_the_same_holds_where_the_log_is_known_and_only_its_key_is_another() -> None:
    note = sign_checkpoint(Checkpoint(LOG, 0, EMPTY_ROOT), [NEW])
    with pytest.raises(Unproven, match="either its key was rotated"):
        open_checkpoint(note, LOG, [KEY.public])


def test_another_generation_is_told_and_whether_the_key_signed_that_too() -> None:
    later, strange = KEY.named(f"{LOG}/g2"), NEW.named(f"{LOG}/g2")
    said = told([later], KEY.public)
    assert f"this is '{LOG}/g2', another generation of '{LOG}'" in said
    assert said.endswith(f"the same key signed it, under the name {later.public.vkey}")
    said = told([strange], KEY.public)
    assert "another generation of" in said and said.endswith(f"its signatures are by {named(strange)}")


def test_a_line_with_the_keys_name_and_id_that_does_not_hold_is_not_the_keys() -> None:
    later = KEY.named(f"{LOG}/g2")
    note, other = (sign_checkpoint(Checkpoint(f"{LOG}/g2", 0, EMPTY_ROOT, more), [later]) for more in ((), ("more",)))
    mixed = other.rpartition(b"\n\n")[0] + b"\n\n" + note.rpartition(b"\n\n")[2]
    with pytest.raises(Unproven) as error:
        evaluate(Policy((Party(KEY.public, None),), {}, {}, NONE), mixed)
    assert "the same key signed it" not in error.value.detail


def test_another_log_is_told_and_whether_it_is_of_the_same_service() -> None:
    billing = KEY.named("trail.example/v1/logs/billing")
    assert f"this is '{billing.public.name}', another log of the same service; the same key" in told([billing], KEY.public)
    other = SigningKey("other.example/log", bytes([3] * 32))
    assert told([other], KEY.public).endswith(f"this is 'other.example/log', another log; its signatures are by {named(other)}")


def test_of_many_keys_the_first_are_named_and_none_is_said_too() -> None:
    many = [SigningKey(f"log{number}.example", bytes([number] * 32)) for number in range(1, 9)]
    said = told([KEY], *(key.public for key in many))
    assert "log4.example" in said and "log5.example" not in said and "or 4 more: this is" in said
    assert told([KEY]).startswith("not signed by anyone, as no key is known")


@pytest.mark.parametrize(
    ("origin", "first"), [(f"{LOG}/g2", LOG), (f"{LOG}/g17", LOG), (LOG, LOG), (f"{LOG}/g", f"{LOG}/g"), (f"{LOG}/g02", f"{LOG}/g02")]
)
def test_the_first_generation_has_the_logs_name(origin: str, first: str) -> None:
    assert first_generation(origin) == first
