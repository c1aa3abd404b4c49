"""What card, report and disclosure call the facts of a corpus, in English and in Japanese."""

from __future__ import annotations

from corpus.errors import counted

TITLES = {  # list → (English, Japanese)
    "source": ("Sources", "出典"),
    "host": ("Hosts", "ホスト"),
    "licence": ("Licences", "ライセンス"),
    "language": ("Languages", "言語"),
    "charset": ("Charsets of the pages", "元の文字コード"),
    "charset_from": ("How the charset was found", "文字コードの判定根拠"),
}
ORGANISATIONS = {  # clean.organisations → what the card says of it
    "mask": ("treated as a person's", "個人と同様に扱う"),
    "keep": ("left in the text and not counted", "本文に残し、計数しない"),
}
CODE = {  # clean.code
    "owned": ("only what stands behind a name or an author's line", "氏名や著者行に伴うもののみ"),
    "mask": ("as in prose", "本文と同様"),
    "keep": ("left as it is", "対象外"),
}
BLOCKS = {
    "paragraph": "段落", "heading": "見出し", "item": "箇条書き", "table": "表", "code": "コード",
    "quote": "引用", "definition": "定義", "formula": "数式", "caption": "図表の説明",
    "rule": "区切り線",
}  # fmt: skip
SCRIPTS = {
    "hiragana": ("hiragana", "ひらがな"), "katakana": ("katakana", "カタカナ"),
    "kanji": ("kanji", "漢字"), "latin": ("latin", "ラテン文字"), "digit": ("digit", "数字"),
    "symbol": ("symbol", "記号"), "space": ("space", "空白"),
    "other": ("punctuation and other", "句読点・その他"),
}  # fmt: skip
CLUSTER_SIZES = ("Size of the cluster of copies", "重複群の大きさ（その文書を含む）")
ALONE = "1"  # of facts["clusters"]: no copy was found
LENGTHS = {
    "min": "最小", "p10": "下位 10 %", "median": "中央値", "p90": "上位 10 %", "max": "最大",
}  # fmt: skip
TOPICS = {
    "adult_words": ("adult words", "成人向けの語"),
    "discrimination_words": ("discriminating words", "差別語"),
    "violence_words": ("words of violence and threat", "暴力・脅迫の語"),
    "ad_words": ("words of advertising", "広告の語"),
}
SEVERITY = {
    "0": ("none", "なし"), "1": ("weak", "弱い"), "2": ("strong", "強い"),
    "3": ("severe", "最も強い"),
}  # fmt: skip
POLICIES = {"mask": "置換", "detect": "計数のみ", "drop": "除外"}  # of a class of personal data


def cluster_size(size: str) -> tuple[str, str]:
    """A size of clusters of facts["clusters"]."""
    return ("1 (unique)", "1（重複なし）") if size == ALONE else (size, size)


def files_and_members(files: int, members: int) -> tuple[str, str]:
    """The inputs of a build: files as given, and apart from them members of packed ones."""
    english, japanese = counted(files, "file"), f"{files:,} ファイル"
    if not members:
        return english, japanese
    packed = f"{counted(members, 'member')} of packed files"
    return f"{english} and {packed}", f"{japanese}（ほかに圧縮ファイル内の {members:,} 件）"
