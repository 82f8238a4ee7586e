"""A support chatbot: one long system prompt, many multi-turn conversations interleaved."""

from __future__ import annotations

import random
from dataclasses import dataclass

from radixa.bench.base import Codec, Scenario, Thread
from radixa.bench.texts import fit
from radixa.core.base import Message


@dataclass(frozen=True, slots=True)
class Size:
    """Lengths in tokens of the serving model."""

    system: int
    conversations: int
    turns: int
    question: int
    answer: int


SIZES = {
    "full": Size(system=800, conversations=16, turns=6, question=60, answer=64),
    "reduced": Size(system=800, conversations=5, turns=3, question=60, answer=24),
}

HANDBOOK = (
    "You are the support assistant of Northlight Audio, a maker of headphones, loudspeakers and small amplifiers.",
    "Answer in at most three sentences, politely, and only about our products, orders, deliveries and repairs.",
    "If a question is about anything else, say that you can help with Northlight products and ask what is wrong.",
    "Never promise a refund, a date or a price that is not written in this handbook.",
    "Orders placed before 14:00 on a working day leave our warehouse in Gothenburg the same evening.",
    "Standard delivery takes two to four working days inside the European Union and five to nine outside it.",
    "Express delivery costs 12 euros, takes one working day, and is not offered for loudspeakers over ten kilograms.",
    "A parcel that shows no movement for five working days counts as lost: we send a replacement at no charge.",
    "Every product may be returned within thirty days if it is complete and undamaged; the buyer pays the label.",
    "Refunds go to the original means of payment within six working days after the parcel has been checked.",
    "Headphone pads, cables and earpiece tips are hygiene items and can be returned only unopened.",
    "The warranty lasts three years on electronics and five years on loudspeaker drivers, from the day of delivery.",
    "It does not cover liquid, drops, amplifiers opened by anyone but us, or drivers burned by clipping.",
    "For a repair we need the serial number, which is engraved under the left ear cushion or on the rear plate.",
    "A repair takes ten working days on average; a loan device is available for the Aurora and Meridian series.",
    "The Aurora 2 headphones charge over USB-C, play for thirty-eight hours, and hold two Bluetooth connections.",
    "If an Aurora 2 does not pair, hold both volume keys for eight seconds until the light blinks violet, then retry.",
    "The Aurora Mini has no microphone, so calls are heard on it but spoken through the phone.",
    "The Meridian desk loudspeakers are sold in pairs, weigh 7.4 kilograms each and need 40 centimetres to the wall.",
    "A hum from the Meridian usually comes from a ground loop: plug computer and loudspeakers into one strip.",
    "The Polar amplifier gives 60 watts per channel into eight ohms and shuts down for a minute when it overheats.",
    "Firmware is updated with the Northlight app; keep the device above forty percent charge and do not close the app.",
    "An update that stops half-way is repaired by holding the power key for twenty seconds and starting the app again.",
    "Customers with a business account pay by invoice within thirty days and have a contact person of their own.",
    "Invoices can be changed until the order has left the warehouse; after that only the address may be corrected.",
    "A cancelled order is free of charge until it is packed; afterwards it is treated as a return.",
    "Gift cards are valid for three years, cannot be paid out, and may be split over several orders.",
    "Student and teacher discounts are ten percent, need a school address, and exclude products already reduced.",
    "Spare parts for discontinued products are kept for seven years; ask for the part list before you quote a price.",
    "If a customer is angry, name the problem in your own words once, apologise once, and offer the next step.",
    "If a customer mentions smoke, heat or a swollen battery, tell them to unplug the device and leave it alone.",
    "Then hand the conversation to the safety desk by ending your answer with the word ESCALATE.",
    "Hand over to a person as well when the same question has been asked three times, or when a lawyer is mentioned.",
    "Do not repeat personal data that a customer typed, and never ask for a password or a full card number.",
    "When you name an article, use its full name the first time and the short form afterwards.",
    "Always end with one clear question or one clear next step, never with both.",
    "Our own shops in Gothenburg, Ghent and Porto take returns without a label, and test headphones while you wait.",
    "Products bought from another dealer go back to that dealer, but their warranty repairs are done by us.",
    "The newsletter discount of five percent is given once, by mail, and cannot be combined with another one.",
    "A review on our site may be critical but not insulting; the customer can edit or delete it at any time.",
    "Old devices and batteries are taken back free of charge, whoever made them, in every one of our shops.",
    "Sound examples and measurements of each model are on its page; do not describe sound in words of your own.",
    "For installation in cars, boats or saunas there is no warranty at all, and no advice from us either.",
    "Wholesale prices start at forty pieces of one article and are quoted by the sales desk within a working day.",
)

_PRODUCTS = ("Aurora 2", "Aurora Mini", "Meridian pair", "Polar amplifier", "travel case", "replacement pads")
_PROBLEMS = (
    "the left side goes silent after about twenty minutes and comes back when I switch it off and on",
    "the parcel has been shown as handed over to the carrier since last week and nothing has moved",
    "the update stopped at sixty percent and since then the light only blinks white",
    "there is a low hum as soon as my computer is connected, whatever the volume is",
    "I was charged twice, once on the day I ordered and once when it was sent",
    "it does not show up in the list of my new phone although the old one still finds it",
    "one of the screws on the rear plate was missing and the box had been opened before",
)
_WISHES = (
    "What should I try first, and what do you need from me if that does not help?",
    "Can I send it back, who pays for the label, and how long will the money take?",
    "Is that covered by the warranty, and would I get another one while you repair it?",
    "Could you tell me how long this will take, because I need it at work on Monday?",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FOLLOW_UPS = (
    "Thank you, I did that, and it is a little better, but",
    "I looked again and found that I had forgotten to mention it:",
    "My colleague has the same model and does not see it, so I wonder why",
    "Before I do that I want to be sure about one more thing, because",
    "All right. There is a second matter on the same order:",
)


def build(codec: Codec, seed: int, size: Size) -> Scenario:
    chance = random.Random(f"chatbot {seed}")
    system = Message("system", fit(HANDBOOK, size.system, codec))
    threads = tuple(
        Thread(f"customer-{index + 1}", (system,), tuple(_questions(chance, size, codec)))
        for index in range(size.conversations)
    )
    return Scenario("chatbot", "Support chatbot", threads, size.answer)


def _questions(chance: random.Random, size: Size, codec: Codec) -> list[str]:
    """One customer's turns, about one order."""
    product, order = chance.choice(_PRODUCTS), chance.randrange(100_000, 1_000_000)
    questions = []
    for turn in range(size.turns):
        when = f"{chance.choice(_DAYS)}, {chance.randrange(8, 22)}:{chance.randrange(60):02d}."
        start = chance.choice(_FOLLOW_UPS) if turn else f"Hello, this is about my {product} from order {order}:"
        # Twice as much as is needed, so that it can be cut to size.
        problems, wishes = chance.sample(_PROBLEMS, 2), chance.sample(_WISHES, 2)
        pieces = [when, start, f"{problems[0]}.", wishes[0], f"And {problems[1]}.", wishes[1]]
        questions.append(fit(pieces, size.question, codec))
    return questions
