"""Which form a model calls tools in: what its chat template shows of it."""

from __future__ import annotations

from radixa.models.base import ChatTemplate
from radixa.models.tools.base import ToolForm
from radixa.models.tools.hermes import HERMES
from radixa.models.tools.llama import LLAMA
from radixa.models.tools.mistral import MISTRAL
from radixa.models.tools.smollm import SMOLLM


def tool_form(template: ChatTemplate) -> ToolForm:
    """The form that the template was written for; SmolLM2's where it takes no tools, or shows a form not known here."""
    source = template.source
    if not template.takes_tools:
        return SMOLLM
    # Later Mistral models write a call's name before `[ARGS]`, Qwen3-Coder writes it as XML.
    if "[TOOL_CALLS]" in source and "[ARGS]" not in source:
        return MISTRAL
    if "<tool_call>" in source and "<function=" not in source:
        return HERMES
    if "<|start_header_id|>" in source and '"parameters"' in source:
        return LLAMA
    return SMOLLM
