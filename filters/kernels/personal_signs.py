"""Which documents can hold personal data at all: the walk that saves the regular expressions.

A flag says that the pattern may match, its absence that it cannot.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import classes as c
from .classes import class_of
from .spec import Bytes, Offsets, Points, Scalar

NUMBER = 1  # seven digits with at most two other characters between neighbours
EMAIL = 2  # @ or ＠
ADDRESS = 4  # 都 道 府 県 市 区, and within REACH characters a digit or 丁 番
IP = 8  # three full stops in a run of digits and full stops
EVERY = 15
REACH = 70


@njit(cache=True, nogil=True)
def personal_signs(points: Points, starts: Offsets, table: Bytes, flags: Bytes) -> None:
    """Fills flags[n] with the bits above; table is CLASS_TABLE."""
    for doc in range(len(starts) - 1):
        flag = 0
        digits = dots = 0
        last_digit: Scalar = np.int64(-1000)
        last_place: Scalar = np.int64(-1000)
        last_dot: Scalar = np.int64(-1000)
        for i in range(starts[doc], starts[doc + 1]):
            point = points[i]
            kind = class_of(point, table)
            if kind == c.DIGIT or kind == c.DIGIT_WIDE:
                digits = digits + 1 if i - last_digit <= 3 else 1
                if i - last_digit > 1 and i - last_dot > 1:
                    dots = 0
                last_digit = i
                if digits >= 7:
                    flag |= NUMBER
                if i - last_place <= REACH:
                    flag |= ADDRESS
            elif kind == c.KANJI:
                if (
                    point == 0x5E02  # 市
                    or point == 0x533A  # 区
                    or point == 0x770C  # 県
                    or point == 0x90FD  # 都
                    or point == 0x5E9C  # 府
                    or point == 0x9053  # 道
                ):
                    last_place = i
                elif (point == 0x4E01 or point == 0x756A) and i - last_place <= REACH:  # 丁 番
                    flag |= ADDRESS
            elif point == 0x2E:
                dots = dots + 1 if i - last_digit == 1 else 0
                last_dot = i
                if dots >= 3:
                    flag |= IP
            elif point == 0x40 or point == 0xFF20:
                flag |= EMAIL
        flags[doc] = flag
