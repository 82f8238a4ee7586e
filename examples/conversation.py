"""A conversation over any OpenAI client, with what its growing prefix saved.

RADIXA_API_KEY=rx-… python examples/conversation.py
"""

from __future__ import annotations

import radixa as rx

QUESTIONS = ["What is a prefix cache?", "Why does it help in a long chat?", "And when does it not?"]

if __name__ == "__main__":
    model = rx.list_supported_models()[0]
    manager = rx.PrefixCacheManager(model=model)
    history = [{"role": "system", "content": "You explain computing in one short sentence."}]
    for question in QUESTIONS:
        turn = manager.process_conversation_turn("example", history, question, max_tokens=40)
        print(f"{question} {turn['prompt_tokens']} prompt tokens, {turn['cached_tokens']} of them cached")
        history += [{"role": "user", "content": question}, {"role": "assistant", "content": turn["response"]}]
    print(manager.get_cache_statistics())
    manager.close()
