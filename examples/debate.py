"""Two sides of a question, written side by side from one beginning, and a verdict that reads both.

python examples/debate.py
"""

from __future__ import annotations

import radixa as rx


@rx.function
def debate(s, question):
    s += rx.system("You are a careful speaker. You argue in two sentences.")
    s += rx.user(f"The question is: {question}")
    sides = s.fork(2)
    for side, name in zip(sides, ("for", "against"), strict=True):
        side += rx.user(f"Speak {name} it.")
        side += rx.assistant(rx.gen("speech", max_tokens=40, temperature=0))
    sides.join()
    pro, contra = s["speech"]
    s += rx.user(f"One said: {pro}\nThe other said: {contra}\nWho convinces you?")
    s += rx.assistant(rx.select("verdict", choices=["The first.", "The second."]))


if __name__ == "__main__":
    state = debate.run(question="Should cities ban cars?")
    for name, speech in zip(("For", "Against"), state["speech"], strict=True):
        print(f"{name}: {speech.strip()}\n")
    print(f"Verdict: {state['verdict']}")
