"""A set made for masking: all forms in which people write contact data, and what looks like it.

No one is real here: persons and domains are invented, telephone numbers are of exchanges that do
not exist (03-2…, 06-2…, 090-0…). ⟦…⟧ marks what must be found, whole and with its class.
"""

from __future__ import annotations

import pytest

from filters.personal import PLACEHOLDERS, find, mask

EMAILS = r"""
連絡先は⟦h.inaho@tanbo-mura9.ne.jp⟧です。
稲穂花子 <⟦hanako.inaho@tanbo-mura9.ac.jp⟧>
⟦hanako＠tanbo-mura9.ne.jp⟧まで
⟦ｈａｎａｋｏ＠ｔａｎｂｏ．ｎｅ．ｊｐ⟧
メール（⟦hanako_inaho@tanbo-mura9.com⟧）か掲示板
メール⟦hanako@tanbo-mura9.com⟧[1]
mailto:⟦hanako@tanbo-mura9.com⟧
Hanako Inaho <⟦hanako at tanbo-mura9.org⟧>
Hanako Inaho (⟦hanako at tanbo-mura9.org⟧)
Author: Hanako Inaho <⟦hanako @tanbo-mura9.org⟧>
<⟦hanako @tanbo-mura9.org⟧
E-mail: ⟦hanako @ tanbo-mura9.org⟧
Hanako Inaho, Mura University, ⟦hanako @tanbo-mura9.org⟧, editor
稲穂花子, ⟦hanako at dl.tanbo-mura9.ac.jp⟧, 稲穂大学
電話/FAX/⟦hanako@tanbo-mura9.org⟧
メール: ⟦hanako @tanbo-mura9.ac.jp⟧
Mail: ⟦hanako.inaho at tanbo-mura9.co.jp⟧
⟦hanako at tanbo-mura9 dot org⟧
⟦hanako at tanbo-mura9 dot ac dot jp⟧まで
⟦hanako AT tanbo-mura9 DOT com⟧
⟦hanako (at) tanbo-mura9 (dot) jp⟧
⟦hanako [at] tanbo-mura9 [dot] ac [dot] jp⟧
⟦hanako[at]tanbo-mura9.com⟧
⟦hanako(at)tanbo-mura9.com⟧
⟦hanako（at）tanbo-mura9.com⟧
⟦hanako【at】tanbo-mura9.com⟧
⟦hanako{at}tanbo-mura9.com⟧
⟦hanako<at>tanbo-mura9.com⟧
⟦hanako＜at＞tanbo-mura9.com⟧
⟦hanako(a)tanbo-mura9.com⟧
⟦hanako[@]tanbo-mura9.com⟧
⟦hanako (@) tanbo-mura9.com⟧
⟦hanako(at mark)tanbo-mura9.com⟧
⟦hanako[at-mark]tanbo-mura9.com⟧
⟦hanako_at_tanbo-mura9.com⟧
⟦hanako_at_tanbo-mura9_dot_com⟧
⟦hanako-at-tanbo-mura9.com⟧
⟦hanakoATtanbo-mura9.com⟧
⟦hanako★tanbo-mura9.com⟧
⟦hanako☆dl.tanbo-mura9.ac.jp⟧ までご連絡ください
⟦hanako●tanbo-mura9.com⟧（●を@に）
⟦hanako■tanbo-mura9.ne.jp⟧
⟦hanako＊tanbo-mura9.ne.jp⟧
⟦hanako＃tanbo-mura9.ne.jp⟧
⟦hanako◎tanbo-mura9.ne.jp⟧
⟦hanako[アット]tanbo-mura9.com⟧
⟦hanako（アットマーク）tanbo-mura9.com⟧
⟦hanakoアットマークtanbo-mura9.com⟧
⟦hanako あっと tanbo-mura9.com⟧
⟦hanako@tanbo-mura9(dot)com⟧
⟦hanako@tanbo-mura9 dot com⟧
⟦hanako.inaho at tanbo-mura9.com⟧ へメールしてください
"""
PHONES = r"""
TEL ⟦06-2345-4321⟧ （14:00～23:00）
電話 ⟦06-2345-4321⟧（平日9:00～17:00）
電話：⟦03-2345-9876⟧(24時間対応)
受付（⟦070-0452-7619⟧）までお電話ください
（⟦03-2119-7483⟧）でお申し込みください
⟦03-2345-9876⟧ 9:00〜18:00
⟦03-2345-9876⟧（代）
⟦03-2345-9876⟧/⟦03-2345-9875⟧
TEL⟦03-2345-9876⟧ FAX⟦03-2345-9875⟧
ＴＥＬ：⟦０７８－２１１－４３７６⟧
ＴＥＬ．⟦０３（２５８１）１９０１⟧ 内線３２５９
電話⟦(03)2345-9876⟧
⟦(03)2345-9876⟧
⟦03(2345)9876⟧
⟦03 (2345) 9876⟧
⟦03 - 2345 - 9876⟧
⟦090-0127-3694⟧
⟦090 0127 3694⟧
⟦09001273694⟧
携帯 ⟦090-01273694⟧
⟦090‐0127‐3694⟧
⟦090ー0127ー3694⟧
⟦090─0127─3694⟧
⟦+81-90-0127-3694⟧
⟦+81 3-2345-9876⟧
⟦+81(0)3-2345-9876⟧
TEL ⟦03.2345.9876⟧
Phone: ⟦+1 650-555-0190⟧
稲穂市立図書館の寄贈者 山田花子さん 自宅 ⟦0466-20-4356⟧
内線あり ⟦0466-20-4355⟧、担当 稲村
駐車場救急株式会社\n⟦0466-20-4355⟧ 携帯 ⟦090-0127-3694⟧
"""
ADDRESSES = r"""
住所 ⟦東京都港区稲穂本木9-7-13⟧ 稲穂ビル6F
⟦東京都港区稲穂本木9-7-13⟧ 電話 03-2345-9876
⟦東京都港区稲穂本木9-7-13⟧ 03-2345-9876
⟦東京都港区稲穂本木9-7-13⟧\n[電話]03-2345-9876
[住所] ⟦大阪府大阪市西成区稲穂八丁目19番12号⟧ TEL 06-2345-4321
⟦大阪府大阪市北区稲穂田\n8丁目7-105⟧ 稲穂ビル10階
⟦神奈川県小田原市南稲穂\n8-14-9⟧
⟦東京都荒川区\n西稲穂里9丁目41-7⟧
⟦山口県周南市稲穂台 9917 番地⟧
⟦兵庫県神戸市中央区中稲穂通9 - 8 - 7⟧
⟦東京都文京区稲穂９丁目８ − ６⟧
⟦京都府 京都市下京区 稲穂町97⟧
⟦京都府京都市東山区稲穂通下ル穂波町 977⟧
⟦青森県五所川原市大字稲穂字穂波97-8⟧ TEL 0173-24-4329
⟦東京都昭島市稲穂町9-8-7-905⟧
⟦仙台市青葉区稲穂字穂波9-8⟧
⟦札幌市中央区北9条西8丁目⟧
⟦福岡市中央区稲穂9-18-27⟧
⟦千葉県柏市稲穂987番地⟧ 中央97街区
⟦東京都千代田区西稲穂九丁目七番八号⟧
新しい事務所は⟦稲穂浜町９−８−１７⟧です
606-0099　⟦京都市左京区稲穂町⟧
〒606-0099\n⟦京都市左京区稲穂町⟧
"""
POSTAL = r"""
⟦〒103-0099⟧ 東京都中央区稲穂9-8
⟦〒 600-0099⟧ 京都府
⟦〒2770099⟧
⟦606-0099⟧　京都市左京区稲穂町
⟦103-0099⟧ 東京都中央区稲穂
郵便番号 ⟦103-0099⟧
Sendai, Miyagi, ⟦980-0099⟧ Japan
"""
NAMES = r"""
⟦稲村⟧様（03-2345-9876）
⟦山田花子⟧さん <hanako@tanbo-mura9.com>
⟦佐藤 花子⟧様 電話 03-2345-9876
⟦渡辺⟧くん hanako@tanbo-mura9.com
"""
FOUND = {"email": EMAILS, "phone": PHONES, "address": ADDRESSES, "postal": POSTAL, "name": NAMES}

NOTHING = r"""
info@example.com
taro@example.co.jp
taro@example1.jp
foo@shop.example
me@test.invalid
root@localhost
user@gmail.com の形式
hoge@docomo.ne.jp
xxxxxx@tanbo-mura9.ne.jp
your-name@tanbo-mura9.com
NNN-done@bugs.tanbo-mura9.org
taro@your-domain.com
john.doe@tanbo-mura9.com
kaki at example.com
user@hoge.co.jp
to@nai.nai
git@github.com:inaho/inaho.git
git@github.com
$ ssh hanako@server.tanbo-mura9.com
ssh://hanako@tanbo-mura9.com
https://user:pass@tanbo-mura9.com/home
postgresql@main.service
getty@tty1.service
stunnel@.service
extensions.inaho@tanbo-mura9.com.privateBrowsing.command
inaho@tanbo-mura9.org.xpi
chacha20-poly1305@openssh.com
hmac-sha2-256-etm@openssh.com
curve25519-sha256@libssh.org
no-more-sessions@openssh.com
<em:id>inaho@tanbo-mura9.org</em:id>
#inaho@irc.tanbo-mura9.org
@hanako@social.tanbo-mura9.org
inaho-plugin@7.2.4
y = np.dot(P @ np.eye(3), q)
sound@right[1:5000]
x = A @ w.to(device)
Congratulations @inaho
ine-tester @ tanbo.js
The cursor stays at center. Layers
It fails at once. Otherwise
It is hosted at github.com and available at docs.tanbo-mura9.org
Look at tanbo-mura9.com for more
(see us at tanbo-mura9.com)
look_at_home.py
Message-ID: <20040101123456.1234@mail.tanbo-mura9.jp>
soumu@city.inaho.lg.jp
kouhou@pref.inaho.jp
webmaster@mhlw.go.jp
フリーダイヤル 0120-200-987
0800-234-9876
ナビダイヤル 0570-023-987
110番、119番、188番
090-0000-0000
03-1234-5678
090-1234-5678
096-000-0000
例）03-2345-9876
記入例：090-0127-3694
山梨県稲穂市稲穂町9丁目付近で
09809-1-2345
稲穂警察署 0466-20-4355
稲穂市役所 総務課 電話 0466-20-4355
国土交通省 03-2345-9876
特許審査第一部\nＴＥＬ．０３（２５８１）１９０１　内線３２５９
稲穂市立図書館（神奈川県稲穂市本町9-8-7）
稲穂市役所\n〒251-0001 神奈川県稲穂市本町9-8-7\n電話 0466-20-4355
東京都千代田区霞が関2-9-9 中央合同庁舎
〒999-8799 東京都港区稲穂本木9-7-13 稲穂市民センター
名称 稲穂町集会所\n位置 山梨県稲穂市稲穂町987番地
901 9000020999999 稲穂町 長野県北安曇郡稲穂町大字稲穂9817－8
稲村市稲穂町南九丁目千七百八番から同市稲穂町八丁目九百七十番までの区間
平均3.7日（90%信頼区間3.1-4.4）
政令第九条の八を同令第七条とし
稲穂町商工会\n設立年月日\n昭和47年9月
東急稲穂都市線 稲穂大橋駅 9階建 築17年
9990099,福島県,伊達市,稲穂町9丁目
2013-07-19 21:48:09
2017/08/14 18:00
2019 2018 2017 2016
ISBN 979-10-99999-99-9
法人番号 4999999999999
987654-001
資本金 30,000,000円
98f367ae-0baf-41ed-95c0-4072a2ebe999
1日3-700PV → 900-2000 PV
"""
# Words with an honorific that name no one, each before a telephone number.
NO_NAMES = r"""
お客様 さん
近隣の法人様
患者様
加盟企業の皆さま
利用者さん
世間様
新品同様
個人事業主様
市長 山田太郎氏
"""


def lines(text: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in text.strip().splitlines()]


CASES = [(kind, line) for kind, text in FOUND.items() for line in lines(text)]


@pytest.mark.parametrize(("kind", "line"), CASES)
def test_a_form_is_found_whole_and_gets_its_placeholder(kind: str, line: str) -> None:
    parts = [part for piece in line.split("⟦") for part in piece.split("⟧")]
    text = "".join(parts)
    wanted, at = [], 0
    for i, part in enumerate(parts):
        if i % 2:
            wanted.append((at, at + len(part)))
        at += len(part)
    found = [(f.begin, f.end) for f in find(text) if f.kind == kind]
    assert found == wanted, [text[f.begin : f.end] for f in find(text)]
    assert PLACEHOLDERS[kind] in mask(text, find(text))


@pytest.mark.parametrize("text", lines(NOTHING))
def test_what_is_no_ones_is_left_alone(text: str) -> None:
    assert find(text) == []


@pytest.mark.parametrize("words", lines(NO_NAMES))
def test_words_with_an_honorific_are_no_names(words: str) -> None:
    found = find(f"{words} お問い合わせは 090-0127-3694 へ")
    assert [f.kind for f in found] == ["phone"]
