"""What the page walk knows about HTML: element kinds and the words of class and id names.

Names are looked up by their polynomial hash in open-addressed tables, which the numba kernels take
as arguments (a table baked into a kernel would go stale in numba's cache).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TABLE_SIZE = 2048  # a power of two, at least twice the entries of either table
HASH_BASE = 16777619

# Element properties (bits).
(BLOCK, SKIP, VOID, RAW, PRE, HEADING, LIST, TABLE, ITEM, CELL, ROW, SECTION, INLINE, COLLAPSE) = (
    1 << i for i in range(14)
)

# Element ids the kernels name; every other element gets the next free number.
_NAMED = (
    "a br rt rp ruby meta link title script time h1 p body hr noframes rtc html head rb img "
    "h2 h3 h4 h5 h6 ul ol menu dir li dl dt dd blockquote table caption figcaption tr td th pre "
    "code tt samp kbd sup sub math textarea mjx-container embed-katex"
)
NAMED = tuple(_NAMED.split())
(A, BR, RT, RP, RUBY, META, LINK, TITLE, SCRIPT, TIME) = range(1, 11)
(H1, P, BODY, HR, NOFRAMES, RTC, HTML, HEAD, RB, IMG) = range(11, 21)
(H2, H3, H4, H5, H6, UL, OL, MENU, DIR, LI, DL, DT, DD, BLOCKQUOTE) = range(21, 35)
(TABLE_TAG, CAPTION, FIGCAPTION, TR, TD, TH, PRE_TAG, CODE, TT, SAMP, KBD) = range(35, 46)
(SUP, SUB, MATH, TEXTAREA, MJX_CONTAINER, EMBED_KATEX) = range(46, len(NAMED) + 1)

_KINDS: dict[int, str] = {
    BLOCK: "address article aside blockquote body center dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend "
    "li listing main menu nav ol p plaintext pre section summary table caption tbody thead "
    "tfoot tr td th ul xmp search noframes colgroup optgroup marquee",
    SKIP: "script style noscript template button select option textarea input iframe svg math "
    "object embed canvas audio video head title datalist meter progress applet map",
    VOID: "area base basefont bgsound br col embed frame hr img input keygen link meta param "
    "source track wbr",
    RAW: "script style xmp iframe noembed noframes plaintext",
    PRE: "pre listing xmp plaintext",
    HEADING: "h1 h2 h3 h4 h5 h6",
    LIST: "ul ol dl dir menu",
    TABLE: "table",
    ITEM: "li dt dd",
    CELL: "td th",
    ROW: "tr",
    SECTION: "article main section div td body html center blockquote form table tbody tr dl ul "
    "ol span font header aside footer nav",
    INLINE: "code tt samp kbd sup sub",  # with a sign of their own
}

# Kinds of class and id words (bits). Japanese sites romanise: pankuzu, honbun, kiji, oshirase.
# Bit i is of kind WORD_KINDS[i]; the first 16 are features of blocks and containers.
_WORD_KINDS = (
    "nav side frame share related advert comment byline form content "
    "bodytext wrap hidden notice author listing cookie"
)
WORD_KINDS = tuple(_WORD_KINDS.split())
(NAV, SIDE, FRAME, SHARE, RELATED, ADVERT, COMMENT, BYLINE, FORM, CONTENT) = (
    1 << i for i in range(10)
)
(BODYTEXT, WRAP, HIDDEN, NOTICE, AUTHOR, LISTING, COOKIE) = (
    1 << i for i in range(10, len(WORD_KINDS))
)
BOILERPLATE = NAV | SIDE | FRAME | SHARE | RELATED | ADVERT | COMMENT | FORM | NOTICE | COOKIE

WORDS: dict[int, str] = {
    NAV: "nav navi navbar navigation navigations gnav gnavi lnav lnavi snav gmenu menu menus "
    "submenu globalnav globalnavi localnav localnavi breadcrumb breadcrumbs crumb crumbs "
    "pankuzu topicpath topic_path toc sitemap pager pagination paginate paging pagenavi "
    "prev previous next pagetop totop skip jump anchor tab tabs toolbar drawer hamburger "
    "dropdown language lang quickview navheader navfooter wpnavi pan",
    SIDE: "side sidebar aside sub subcontent subcontents subcolumn secondary tertiary rail right "
    "left widget widgets complementary sidemenu sidenav column gadget module parts leftnav "
    "rightnav menubar sidebox",
    FRAME: "header head footer foot bottom copyright copy copyrights masthead banner contentinfo "
    "hd ft globalheader globalfooter siteheader sitefooter logo brand credit legal footnavi "
    "siteinfo topbar",
    SHARE: "share shares sharing sns social socials twitter tweet facebook fb hatena hatebu line "
    "pocket bookmark bookmarks like likes follow button buttons btn btns addthis sharebar "
    "sharedaddy socialbutton feedly rss mail print tool tools pinterest linkedin icon icons "
    "instagram youtube mixi",
    RELATED: "related relate relation relations relative recommend recommends recommended "
    "recommendation ranking rankings rank popular trending latest recent recently new "
    "news newest pickup more also similar archive archives backnumber other others link "
    "links readmore special feature features topics topic series osusume kanren calendar "
    "carousel slider slick swiper outbrain taboola thumbnail thumb thumbs",
    ADVERT: "ad ads adv advert advertisement advertising adsense adsbygoogle dfp gpt sponsor "
    "sponsored sponsors bnr banners pr promo promotion promotions campaign affiliate "
    "shopping rectangle adbox adarea adspace infeed cm",
    COMMENT: "comment comments commentlist reply replies respond response disqus trackback "
    "trackbacks pingback review reviews discussion",
    BYLINE: "date time datetime published updated update timestamp byline meta metadata info "
    "information tag tags category categories cat cats postmeta entrymeta posted pubdate "
    "day label labels keyword keywords profile prof writer status count",
    FORM: "search searchbox login signin signup register form forms modal popup cookie cookies "
    "consent gdpr newsletter subscribe subscription overlay dialog contact inquiry cart "
    "member paywall magazine",
    COOKIE: "cookie cookies consent gdpr onetrust cookiebanner cookiebar cookieconsent",
    CONTENT: "article articles entry post posts story hentry single newsarticle blogpost "
    "blogentry kiji articledetail newsdetail detail details item product document doc",
    BODYTEXT: "articlebody articletext articlecontent entrybody entrycontent entrytext honbun "
    "postbody postcontent storybody bodytext maintext body text txt content contents "
    "maincontent maincontents main description desc explanation paragraph lead read "
    "markdown prose wysiwyg editor honmon naiyou naiyo richtext rte wikitext",
    WRAP: "wrap wrapper container inner outer page base layout site root app row col grid contener "
    "box block area section",
    HIDDEN: "hidden hide invisible none visuallyhidden screenreader offscreen sronly collapse "
    "noprint noscript",
    NOTICE: "alert notice attention caution warning disclaimer message messages browser "
    "javascript note notes information important",
    AUTHOR: "author writer byline vcard",
    LISTING: "list lists index lst listing items menu cards card tile tiles table archive archives "
    "categories",
}
ROLES: dict[str, int] = {
    "navigation": NAV,
    "banner": FRAME,
    "contentinfo": FRAME,
    "complementary": SIDE,
    "search": FORM,
    "dialog": FORM,
    "alertdialog": FORM,
    "menu": NAV,
    "menubar": NAV,
    "tablist": NAV,
    "toolbar": NAV,
    "directory": NAV,
    "main": BODYTEXT,
    "article": CONTENT,
    "alert": NOTICE,
    "form": FORM,
}


class Tables(NamedTuple):
    """Lookup tables of the walk: hashes uint32, ids and bits int32, all of TABLE_SIZE."""

    tag_hash: np.ndarray
    tag_id: np.ndarray
    tag_props: np.ndarray  # int32 by element id
    word_hash: np.ndarray
    word_bits: np.ndarray
    class_hash: np.ndarray  # names of `classes`, as a whole
    class_bits: np.ndarray


def name_hash(name: str) -> int:
    """Polynomial hash modulo 2^32: the hash of a suffix follows from two prefixes in one step."""
    value = 0
    for byte in name.encode():
        value = (value * HASH_BASE + byte) & 0xFFFFFFFF
    return value


def open_table(entries: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """(hashes uint32, values int32), TABLE_SIZE each: open addressing with linear probing, hash 0
    for a free slot. Values of one name are or-ed. `attributes.lookup` reads it."""
    hashes = np.zeros(TABLE_SIZE, dtype=np.uint32)
    values = np.zeros(TABLE_SIZE, dtype=np.int32)
    for name, value in entries.items():
        key = name_hash(name)
        slot = key % TABLE_SIZE
        while hashes[slot] not in (0, key):
            slot = (slot + 1) % TABLE_SIZE
        hashes[slot] = key
        values[slot] |= value
    return hashes, values


def build_tables(classes: tuple[np.ndarray, np.ndarray]) -> Tables:
    """The tables of the walk; `classes` is that of `corpus.web.html.classes`."""
    names = list(NAMED)
    for words in _KINDS.values():
        names.extend(name for name in words.split() if name not in names)
    ids = {name: index + 1 for index, name in enumerate(names)}
    props = np.zeros(len(names) + 1, dtype=np.int32)
    for bit, words in _KINDS.items():
        for name in words.split():
            props[ids[name]] |= bit
    word_bits: dict[str, int] = {}
    for bit, words in WORDS.items():
        for word in words.split():
            word_bits[word] = word_bits.get(word, 0) | bit
    for role, bit in ROLES.items():
        word_bits["role=" + role] = bit
    return Tables(*open_table(ids), props, *open_table(word_bits), *classes)
