"""Writes docs/hooks.md, the reference of the hooks, from mathnet/plugin/hookspecs.py.

python tools/write_hook_page.py
"""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

from mathnet.plugin import hookspecs

TARGET = Path(__file__).parent.parent / "docs" / "hooks.md"

HEAD = """\
# The hooks

Each hook is a function of a plugin module, marked with `@mn.hookimpl`. It takes no argument and returns either a list of decorated
objects, or a dict `{"key": "module:object"}` of references, which are imported when their key is first used. A hook is asked once,
when a name is looked up that is not known yet; no hook runs inside a training step.

Any hook may be wrapped, as pluggy allows: `@mn.hookimpl(wrapper=True)` on a generator that yields once, receives the answers and
returns what shall count as such. Wrappers act on all plugins of a Runtime that are loaded with or after theirs, in whatever order.

```python
import numpy as np

import mathnet as mn
```
"""


def page() -> str:
    """The text of the page: one section for each hook, with its signature, what it offers, and its example."""
    parts = [HEAD]
    for name, hook in vars(hookspecs).items():
        if not name.startswith("mathnet_"):
            continue
        summary, _, example = (inspect.getdoc(hook) or "").partition("\n")
        signature = str(inspect.signature(hook)).replace("'", "")
        code = textwrap.dedent(example).strip().replace("\n\n@", "\n\n\n@")
        text = summary.replace("``", "`")
        parts.append(f"## `{name}{signature}`\n\n{text}\n\n```python\n{code}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
