"""Several next steps are tried from each plan, graded, and the best ones go on: a tree, whose trunk is computed once.

radixa serve --sandbox
RADIXA_API_KEY=rx-… python examples/tree_of_thought.py
"""

from __future__ import annotations

import radixa as rx

MODEL = "gpt-4.1-mini"  # In the sandbox the engine answers under this name, at its price.
STEPS, TRIES, KEPT = 3, 3, 2
SENTENCE = r"[A-Z][a-z]+( [a-z]+){3,10}\."


@rx.function
def plan(s, goal):
    s += rx.system("You plan in short steps. Each step is one sentence that says what is to be done next.")
    s += rx.user(f"How do I {goal}?")
    s += rx.assistant_begin()
    kept, asked = [s], []
    for number in range(1, STEPS + 1):
        branches = [branch for state in kept for branch in state.fork(TRIES)]
        for seed, branch in enumerate(branches):
            branch += f"Step {number}: "
            branch += rx.gen("step", regex=SENTENCE, max_tokens=40, temperature=0.8, seed=seed) + "\n"
        graders = [branch.fork()[0] for branch in branches]
        for grader in graders:
            grader += "From 1 (useless) to 9 (perfect), this plan is a " + rx.gen("grade", regex="[1-9]")
        best = sorted(range(len(branches)), key=lambda i: int(graders[i]["grade"]), reverse=True)
        asked += [branch.get_meta_info("step") for branch in branches]
        asked += [grader.get_meta_info("grade") for grader in graders]
        kept = [branches[i] for i in best[:KEPT]]
        print(f"Step {number}, grades {' '.join(graders[i]['grade'] for i in best)}: {branches[best[0]]['step']}")
    kept[0] += rx.assistant_end()
    return kept[0].messages()[-1]["content"], asked


if __name__ == "__main__":
    rx.set_default_backend(rx.RuntimeEndpoint(model=MODEL))
    text, asked = plan.run(goal="repair a flat bicycle tyre").ret_value
    print(f"\n{text.strip()}\n")
    total = {name: sum(each[name] for each in asked) for name in ("prompt_tokens", "cached_tokens", "saved_usd")}
    print(
        f"{len(asked)} answers, {total['prompt_tokens']} prompt tokens, {total['cached_tokens']} of them cached: "
        f"${total['saved_usd']:.6f} saved"
    )
