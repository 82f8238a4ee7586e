"""No engine outlives the process that started it, however that one ends."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radixa.models.base import ModelFolder


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] not in "ZX"
    except OSError:
        return False


def test_the_engine_ends_with_its_parent(smollm2: ModelFolder) -> None:
    script = f"""
        import asyncio
        from radixa.engine.base import EngineSettings
        from radixa.engine.client import start_engine

        async def main():
            client = await start_engine(EngineSettings(model={str(smollm2.path)!r}, kv_tokens=512))
            print(client.connection.pid, flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    engine = int(parent.stdout.readline())
    assert alive(engine)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not alive(engine):
            break
        time.sleep(0.01)
    assert not alive(engine)
