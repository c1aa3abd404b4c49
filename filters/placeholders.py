"""The classes of personal data, what stands in a text in place of each, and what may be done."""

from __future__ import annotations

# Placeholders are part of the text of a corpus: they never change.
PLACEHOLDERS = {
    "phone": "〈電話番号〉",
    "postal": "〈郵便番号〉",
    "address": "〈住所〉",
    "email": "〈メールアドレス〉",
    "my_number": "〈個人番号〉",
    "bank_account": "〈口座番号〉",
    "credit_card": "〈カード番号〉",
    "passport": "〈旅券番号〉",
    "licence": "〈免許証番号〉",
    "ip": "〈IPアドレス〉",
    "name": "〈氏名〉",
}
KINDS = tuple(PLACEHOLDERS)
# Count only; put the placeholder there; drop the document; do not look.
POLICIES = ("detect", "mask", "drop", "off")
