from __future__ import annotations

from pathlib import Path

import pytest
from verify_support import Verify


@pytest.fixture
def verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    return Verify(tmp_path / "state.json", capsys)
