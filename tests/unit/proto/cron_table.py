#!/usr/bin/python3
"""Writes cron_table.txt: expressions, and the ticks that test_cron.c is to find for them.

It is written from crontab(5) and cron(8) alone, and goes another way than proto/cron.c: it makes all
local times of all days that an expression means, has Python's zoneinfo say which moments those are,
and sorts. Where Debian's python3-croniter is installed, those in UTC are held against it, too
(--check says how many were).

A line: zone, expression, a moment (seconds since 1970), the five ticks after it; or `refused`.
"""

import datetime
import io
import random
import struct
import sys
import zoneinfo

UTC = datetime.timezone.utc
ZONES = ["UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "<-03>3",
         "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "NZST-12NZDT,M9.5.0,M4.1.0/3",
         "IST-5:30", "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45"]
FIELDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
NAMES = [{}, {}, {},
         dict(zip("jan feb mar apr may jun jul aug sep oct nov dec".split(), range(1, 13))),
         dict(zip("sun mon tue wed thu fri sat".split(), range(7)))]
WORDS = {"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
         "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
         "@hourly": "0 * * * *"}


def zone_of(rule):
    """A file of tzdata that has nothing but this rule."""
    block = struct.pack(">6l", 0, 0, 0, 0, 1, 4) + struct.pack(">lBB", 0, 0, 0) + b"UTC\0"
    head = b"TZif2" + bytes(15)
    return zoneinfo.ZoneInfo.from_file(io.BytesIO(head + block + head + block + b"\n" + rule.encode() + b"\n"))


def values(text, which):
    least, most = FIELDS[which]
    meant = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            low, high = least, most
        else:
            ends = [NAMES[which].get(e.lower(), e) for e in span.split("-")]
            low, high = int(ends[0]), int(ends[-1])
        meant |= set(range(low, high + 1, int(step or 1)))
    return {0 if which == 4 and v == 7 else v for v in meant}


def day_is_meant(expr, date):
    month, day, weekday = values(expr[3], 3), values(expr[2], 2), values(expr[4], 4)
    if date.month not in month:
        return False
    of_month, of_week = date.day in day, (date.weekday() + 1) % 7 in weekday
    if expr[2][0] == "*" or expr[4][0] == "*":
        return of_month and of_week
    return of_month or of_week


def shows(moment, zone, naive):
    return moment.astimezone(zone).replace(tzinfo=None, fold=0) == naive


def change_at(zone, naive):
    """The first moment at which the zone's clock shows more than a time that it passes over."""
    near = int(naive.replace(tzinfo=UTC).timestamp())
    low, high = near - 2 * 86400, near + 2 * 86400
    def past(at):
        return datetime.datetime.fromtimestamp(at, UTC).astimezone(zone).replace(tzinfo=None) > naive
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if past(middle) else (middle, high)
    return high


def moments(zone, naive, follows):
    found = []
    for fold in (0, 1):
        moment = naive.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if shows(moment, zone, naive):
            found.append(int(moment.timestamp()))
    if not found:
        return [] if follows else [change_at(zone, naive)]
    return sorted(set(found)) if follows else [min(found)]


def ticks(text, zone, after, count):
    expr = WORDS.get(text.strip().lower(), text).split()
    follows = expr[0][0] == "*" or expr[1][0] == "*"
    minutes, hours = sorted(values(expr[0], 0)), sorted(values(expr[1], 1))
    date = datetime.datetime.fromtimestamp(after, UTC).astimezone(zone).date() - datetime.timedelta(2)
    end = date + datetime.timedelta(45 * 366)
    found, done = set(), None
    while date < end:
        if day_is_meant(expr, date):
            for hour in hours:
                for minute in minutes:
                    naive = datetime.datetime(date.year, date.month, date.day, hour, minute)
                    found |= {m for m in moments(zone, naive, follows) if m > after}
            if len(found) >= count and done is None:
                done = date + datetime.timedelta(2)
        if done and date >= done:
            break
        date += datetime.timedelta(1)
    return sorted(found)[:count]


def some_field(dice, which):
    least, most = FIELDS[which]
    kind = dice.random()
    if kind < (0.35 if which > 1 else 0.2):
        return "*"
    if kind < 0.45:
        return "*/%d" % dice.randint(1, most if dice.random() < 0.2 else max(2, most // 3))
    parts = []
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        low = dice.randint(least, most)
        if dice.random() < 0.4:
            high = dice.randint(low, most)
            parts.append("%d-%d" % (low, high) + ("/%d" % dice.randint(1, 7 if which != 4 else 3) if dice.random() < 0.5 else ""))
        else:
            parts.append(str(low))
    if NAMES[which] and dice.random() < 0.4:
        name = dice.choice(sorted(NAMES[which]))
        parts = [name.upper() if dice.random() < 0.3 else name]
    return ",".join(parts)


def sparse(dice):
    """Not more than some dozen ticks a day, at fixed times: those that daylight saving moves."""
    hours = dice.choice(["0", "1", "2", "3", "1-3", "2,3", "0-4/2"])
    return "%s %s %s" % (dice.choice(["0", "30", "0,30", "15", "59", "*/20", "5,45"]), hours,
                         dice.choice(["* * *", "* * sun", "* mar,apr,sep-nov *", "* * 0", "25-31 * *"]))


REFUSED = ["", " ", "*", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
           "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8", "-1 * * * *", "5-1 * * * *",
           "*/0 * * * *", "5/15 * * * *", "a * * * *", "* * * foo *", "* * * * foo", "1, * * * *",
           ",1 * * * *", "1,,2 * * * *", "1- * * * *", "1-2- * * * *", "1-2/ * * * *", "@reboot",
           "@every 5m", "@", "@dailyx", "@daily 5", "* * L * *", "* * ? * *", "* * 15W * *",
           "* * * * 5#2", "*/60 * * * *", "* */24 * * *", "1.5 * * * *", "1e1 * * * *", "0x1 * * * *",
           "+1 * * * *", "99999999999 * * * *", "* * * * 5-2", "* * * dec-jan *", "** * * * *",
           "*5 * * * *", "*-5 * * * *", "1/2/3 * * * *", "0 0 30 2 *", "0 0 31 4,6,9,11 *",
           "0 0 31 feb */7", "* * * janu *", "\u0664 * * * *", "0 0 * * * root", "0;0 * * * *",
           "0\n0 * * *", "H * * * *", "0~30 * * * *", "* * * * mon-", "* * * * -fri", "%s * * * *"]


def lines(check):
    dice = random.Random(1)
    zones = {rule: zone_of(rule) for rule in ZONES}
    for text in REFUSED:
        if "\n" not in text:
            yield "UTC0\t%s\t0\trefused" % text
    fixed = [(t, 0) for t in WORDS] + [(t, 0) for t in (
        "0 0 29 2 *", "0 0 29 2 */7", "0 0 31 * *", "0 12 1,15 * fri", "59 23 31 12 *", "0 0 * * 7",
        "0 0 * * sun", "0 0 * * 0,7", "*/59 * * * *", "0 0 29 2 mon", "\t0   0 * *\t* ", "@DAILY",
        "* * * * *", "0-59 * * * *", "0 */23 * * *", "0 9-17/4 * * mon-fri", "0 0 * JAN-mar *")]
    checked = 0
    for n in range(1300):
        text = (fixed[n][0] if n < len(fixed) else sparse(dice) if n % 3 == 0 else
                " ".join(some_field(dice, which) for which in range(5)))
        rule = "UTC0" if n % 3 == 2 else dice.choice(ZONES)
        year = dice.randint(1995, 2060)
        after = int(datetime.datetime(year, 1, 1, tzinfo=UTC).timestamp()) + dice.randint(0, 366 * 86400)
        if n % 3 == 0 and n >= len(fixed):
            # shortly before a change of its clocks
            month, day = dice.choice([(3, 8), (3, 25), (4, 1), (9, 24), (10, 1), (10, 25), (11, 1)])
            after = int(datetime.datetime(year, month, day, tzinfo=UTC).timestamp()) + dice.randint(0, 7 * 86400)
        found = ticks(text, zones[rule], after, 5)
        if not found:
            yield "%s\t%s\t%d\trefused" % (rule, text, after)
            continue
        if check and rule == "UTC0" and not text.strip().startswith("@"):
            checked += agrees(text, after, found)
        yield "%s\t%s\t%d\t%s" % (rule, text, after, " ".join(map(str, found)))
    if check:
        print("held against croniter: %d" % checked, file=sys.stderr)


def agrees(text, after, found):
    """croniter differs where a day field has a * and a step, or means all days without one."""
    import croniter
    expr = text.lower().split()
    if any(f[0] != "*" and len(values(f, w)) == n for f, w, n in ((expr[4], 4, 7), (expr[2], 2, 31))):
        return 0
    if "/" in expr[2] + expr[4] and "*" in expr[2] + expr[4]:
        return 0
    try:
        i = croniter.croniter(text.strip().lower(), datetime.datetime.fromtimestamp(after, UTC))
        theirs = [int(i.get_next(float)) for _ in found]
    except (croniter.CroniterBadDateError, croniter.CroniterBadCronError):
        return 0
    if theirs != found:
        print("croniter differs: %s after %d: %s, not %s" % (text, after, theirs, found), file=sys.stderr)
    return theirs == found


if __name__ == "__main__":
    check = "--check" in sys.argv
    table = "# Made by cron_table.py: zone, expression, moment, the ticks after it.\n" + "".join(
        line + "\n" for line in lines(check))
    if not check:
        with open(__file__.replace(".py", ".txt"), "w", encoding="utf-8") as f:
            f.write(table)
