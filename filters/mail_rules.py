"""Mail addresses in all the forms that people write, and what only looks like one.

Reserved names are those of RFC 2606, RFC 6761 and JPRS (example.jp, example1.co.jp …); system
names of mailboxes those of RFC 2142; a domain ends with a top-level domain of IANA's list.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from filters.kernels.characters import WIDE
from filters.kernels.personal_signs import AT_STARS, DASHES

TO_ASCII: dict[int, int | str] = {
    **{point + WIDE: point for point in range(ord("!"), ord("~") + 1)},
    **dict.fromkeys(map(ord, DASHES), "-"),
    ord("\u3000"): " ",
}


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


LETTERS = "A-Za-z0-9Ａ-Ｚａ-ｚ０-９"
LOCAL = re.compile(rf"[{LETTERS}][{LETTERS}._%+\-＿．－]{{0,63}}")
# Domains as they are, and with "dot" for the full stops.
LABEL = rf"[{LETTERS}](?:[{LETTERS}－-]{{0,61}}[{LETTERS}])?"
DOT = (
    r"(?:[.．]|[ \u3000]?[\[(（{<_＿【][ ]?(?:dot|DOT|Dot|ドット|[.．])[ ]?[\])）}>_＿】][ \u3000]?"
    r"|[ \u3000](?:dot|DOT|Dot|ドット)[ \u3000]|ドット)"
)
TOP = r"[A-Za-zＡ-Ｚａ-ｚ]{2,24}"
DOMAIN = rf"(?P<domain>(?:{LABEL}{DOT}){{1,6}}{TOP})(?![{LETTERS}_＿－-])"
DOTS = re.compile(DOT)
PLAIN_DOMAIN = re.compile("[A-Za-z0-9.-]+")
PLAIN = re.compile(rf"[@＠]{DOMAIN}")
# What stands for an @, from the surest to what is also a word of English.
BRACKETED = re.compile(
    rf"[ \u3000]?[\[(（{{<＜【〔［｛《〈「\"'][ \u3000]?"
    r"(?:(?:at|AT|At|ａｔ)(?:[- ]?mark)?|[aA]|[@＠]|アット(?:マーク)?|あっと(?:まーく|マーク)?)"
    rf"[ \u3000]?[\])）}}>＞】〕］｝》〉」\"'][ \u3000]?{DOMAIN}"
)
SIGNED = re.compile(
    rf"(?:[{AT_STARS}]|[_＿-](?:at|AT|At)[_＿-]|AT|"
    rf"[ \u3000]?(?:アット(?:マーク)?|あっと(?:まーく|マーク)?)[ \u3000]?){DOMAIN}"
)
SPACED = re.compile(rf"[ \u3000](?:(?:at|AT|At|[@＠])[ \u3000]|[@＠]){DOMAIN}")
SPELT_DOT = re.compile(r"dot|ドット", re.I)
# Words near a mail address whose @ is spelt: without one of these, "look at docs.example" is prose.
MAIL_WORDS = re.compile(
    r"mail|メール|ﾒｰﾙ|連絡|アドレス|contact|問い?合|宛|✉|📧|送(?:信|付|り)先|申し?込|author|maintainer",
    re.I,
)
ASKS = re.compile(r"[ \u3000]*(?:まで|宛|あて|[へに](?:メール|連絡|ご連絡|お送り|送))")
SUREST = re.compile(r"\.(?:ac|co|ne|or|gr|ed|ad)\.jp$|\.edu$|\.ac\.[a-z]{2}$")  # hosts of mail
NO_MAIL = re.compile(r"/[A-Za-z0-9._~-]|:[A-Za-z0-9/~._-]")  # goes on as a URL, or as of scp
LOGIN_BEFORE = re.compile(  # a URL's user, a path, a channel, a login command, an identifier
    r"(?::?//[^\s　「」（）]*|[#\\@]|(?<!\S)[/~.][!-~]*/"
    r"|\b(?:ssh|scp|sftp|rsync|slogin|ssh-copy-id|mosh|telnet|git clone) [!-~ ]*"
    r"|(?:Message-I[dD]|References|In-Reply-To):[^\n]*"
    r"|(?<![A-Za-z_])(?:em:)?id(?:>|[\"']? ?[=:] ?[\"']))$"
)
CODE_AFTER = re.compile(r"[(\[]|\.[A-Za-z_]| ?=|;\s*$")
FILE_ENDS = _words(
    """
    py pl sh rs md so zip mov cc ps ml
    """
)
PROSE = _words(  # before
    """
    at @ a all also am an and are as available based be been by bug bugs but can cc check code
    comments contact demo docs documentation down download email feedback files find follow for
    found from hello help here home hosted i in info information inquire is issue issues it join
    licence license listed live located look mail me mirror more obtain of on online or out page
    posted project published questions read register repository reach see seen shop site source
    start store stored tested thanks that the them there these they this to tweet twitter up
    updated us used user users version via viewed visit was we web website were with work
    working write you
    """
)
LOGINS = _words(
    """
    git hg svn cvs bzr anonymous anoncvs ftp root daemon nobody www-data apache nginx ubuntu
    ec2-user vagrant docker postgres mysql localhost
    """
)
ALGORITHM = re.compile(
    r"(?:^|[-_])(?:sha[0-9]|hmac|umac|aes[0-9]|chacha20|poly1305|curve25519|ed25519|ecdsa|rsa|dsa|"
    r"ecdh|x25519|blake2|rijndael|zlib|sntrup|mlkem|nistp|gss|cert)",
    re.I,
)
PROTOCOL_DOMAINS = ("openssh.com", "libssh.org", "ssh.com", "putty.projects.tartarus.org")
PLACEHOLDER_LOCAL = re.compile(
    r"(?:x{3,}|X{3,}|\*+|a{3,}|[xX]+[._-][xX._-]*|user(?:name|id)?\d{0,2}|your[._-]?(?:name|id|mail|"
    r"e-?mail|address|account)|my[._-]?(?:name|mail|email|address)|foo|bar|baz|foobar|hoge\w{0,4}|"
    r"hoge|fuga|piyo|example|sample|dummy|test(?:er|user|mail)?\d{0,3}|someone|somebody|anyone|"
    r"(?:john|jane)[._-]?(?:doe|smith)|jdoe|local(?:-?part)?|mail-?address|e-?mail-?address|"
    r"first(?:name)?[._]last(?:name)?|account|emailid|abc(?:def?)?|12345?6?|aaa|bbb)",
    re.I,
)
PLACEHOLDER_WORD = re.compile(r"(?:^|[._-])(?:[xX]{3,}|[nN]{3,}|\*+)(?:$|[._-])")
PLACEHOLDER_LABEL = re.compile(
    r"foo|bar|baz|foobar|hoge|hogehoge|fuga|piyo|domain|domainname|(?:your|my)[_-]?(?:domain|"
    r"company|host|site|server|org)|hostname|x{2,}|somewhere|sample|dummy|aaa|bbb|test|tld",
    re.I,
)
RESERVED_TOP = _words(
    """
    test example invalid localhost local onion alt internal
    """
)
RESERVED_LABEL = re.compile(r"examples?[0-9]?", re.I)
ROLE = _words(
    """
    info information contact contacts office support supports sales sale admin administrator
    webmaster postmaster hostmaster master owner help helpdesk inquiry inquiries enquiry
    enquiries toiawase otoiawase mail email pr press media public publicity recruit recruiting
    recruitment jinji saiyo saiyou soumu somu koho kouhou kojin keiri eigyo eigyou service
    services customer customers order orders shop store staff team news newsletter magazine
    noreply reply donotreply security abuse privacy legal licensing licence license jimu
    jimukyoku secretariat secretary event events reserve reservation reservations yoyaku
    uketsuke desk center centre marketing feedback bug bugs report reports editor editorial
    community member members request announce users devel dev subscribe unsubscribe archive list
    ml web website site system systems general hello hi welcome accounts billing careers jobs
    job booking bookings reception soudan madoguchi kouho shinkan club circle lab labo seminar
    conference committee board group project kikaku kaisha hotel ryokan shoten school gakuin
    """
)
# … which a person's own address has among other words: taro.web, dev-hanako
COMMON = _words(
    """
    mail email web dev hello hi general member members master pr group me
    """
)
LIST_LABELS = _words(
    """
    lists list ml groups googlegroups freeml egroups mailman
    """
)
PUBLIC_DOMAIN = re.compile(  # local governments; ministries, courts, parliament, police
    r"(?:^|\.)(?:lg\.jp|(?:pref|city|town|vill|metro)\.[a-z0-9.-]+\.jp|metro\.tokyo\.jp|"
    r"(?:cao|cas|digital|kantei|soumu|moj|mofa|mof|mext|mhlw|meti|maff|mlit|env|mod|npa|nta|jpo|"
    r"fsa|caa|jftc|ppc|reconstruction|jma|gsi|customs|nsr|jinji|courts|shugiin|sangiin|ndl|kunaicho|"
    r"bunka|enecho|chusho|rinya|kaiho|e-gov|nenkin)\.go\.jp)$"
)


@cache
def top_level_domains() -> frozenset[str]:
    """IANA's list, in lower case, without the internationalised ones."""
    text = resources.files("filters").joinpath("lists/tlds.txt").read_text("utf-8")
    return frozenset(text.split("\n", 1)[1].split())


def address(text: str, begin: int, local_end: int) -> tuple[int, bool] | None:
    """(end, whether an organisation's) of the mail address with the local part
    text[begin:local_end]; None where there is none.

    What is reserved, a placeholder, a public office's, a login or an identifier is none either.
    """
    plain = text[local_end : local_end + 1] in ("@", "＠")
    if plain:
        m, weak = PLAIN.match(text, local_end), False
    else:
        m = BRACKETED.match(text, local_end) or SIGNED.match(text, local_end)
        weak = m is None
        m = m or SPACED.match(text, local_end)
    if m is None or not (plain or text[local_end - 1].isalnum()):
        return None
    if not LOCAL.fullmatch(text, begin, local_end):
        return None
    local = text[begin:local_end].translate(TO_ASCII)
    domain = plain_domain(m["domain"])
    if not _is_host(domain) or is_example(local, domain) or NO_MAIL.match(text, m.end()):
        return None
    if PUBLIC_DOMAIN.search(domain):
        return None
    before = text[max(0, begin - 80) : begin].rpartition("\n")[2]
    if _is_identifier(local, domain, before):
        return None
    if not plain and (CODE_AFTER.match(text, m.end()) or not _is_spelt(text, begin, m, weak)):
        return None
    return m.end(), is_role(local, domain)


def plain_domain(written: str) -> str:
    """A domain in ASCII and lower case, its full stops as such."""
    if PLAIN_DOMAIN.fullmatch(written):
        return written.lower()
    return DOTS.sub(".", written).translate(TO_ASCII).lower()


def is_example(local: str, domain: str) -> bool:
    """Whether no one can have the address: a reserved name, or a placeholder."""
    labels = domain.split(".")
    if labels[-1] in RESERVED_TOP or any(RESERVED_LABEL.fullmatch(label) for label in labels):
        return True
    if PLACEHOLDER_LOCAL.fullmatch(local) or PLACEHOLDER_WORD.search(local):
        return True
    return any(PLACEHOLDER_LABEL.fullmatch(label) for label in labels[-3:-1])


def is_role(local: str, domain: str) -> bool:
    """Whether a function or a mailing list reads it, not a person."""
    words = [w for w in re.split(r"[._+0-9-]+", local.lower()) if w]
    if any(label in LIST_LABELS for label in domain.split(".")[:-1]):
        return True
    return (len(words) == 1 and words[0] in ROLE) or any(
        w in ROLE - COMMON for w in words[:1] + words[-1:]
    )


def _is_host(domain: str) -> bool:
    labels = domain.split(".")
    return len(labels) > 1 and labels[-1] in top_level_domains()


def _is_identifier(local: str, domain: str, before: str) -> bool:
    if local.lower() in LOGINS or domain in PROTOCOL_DOMAINS or LOGIN_BEFORE.search(before):
        return True
    if "." in local and re.search(r"\d{8,}\.[\w.]*\d", local):  # a message identifier
        return True
    return bool(ALGORITHM.search(local)) and any(c.isdigit() for c in local) and "-" in local


def _is_spelt(text: str, begin: int, m: re.Match[str], weak: bool) -> bool:
    """Whether the words before, behind or around an address with a spelt @ say that it is one."""
    if begin and text[begin - 1] in "/\\=?&.#@":
        return False
    local, domain = text[begin : m.start()].lower(), plain_domain(m["domain"])
    words = MAIL_WORDS.search(text[max(0, begin - 30) : begin].rpartition("\n")[2])
    is_prose = local in PROSE and (weak or text[m.start()] in "_-")
    if is_prose or (domain.rpartition(".")[2] in FILE_ENDS and not words):
        return False
    if words or not weak or SPELT_DOT.search(m["domain"]):
        return True
    around = text[begin - 1 : begin] + text[m.end() : m.end() + 1]
    if around in ("<>", "()", "（）", "＜＞", "[]", "「」", "【】", "〈〉", "『』"):
        return True
    handle = m.group()[1] in "@＠" and m.group()[2] not in " \u3000"  # name @host.jp
    if handle or (SUREST.search(domain) and local.islower() and domain[:4] != "www."):
        return True
    if around[:1] in ("<", "＜") or ASKS.match(text, m.end()):
        return True
    begins = begin == 0 or text[begin - 1] == "\n"
    return begins and text[m.end() : m.end() + 1] in ("", "\n") and text[begin].islower()
