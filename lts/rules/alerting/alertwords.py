"""The texts of alert mails, in English and Chinese.

By kind of event: what happened, what to do, and the portal's page where that is done. `{name}` are the event's
parameters as lts.rules.alerting.alertmail writes them.
"""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """Of one kind of event in one language."""

    title: str
    advice: str


PAGES = {
    "quota": "license-items", "overdraft": "license-items", "ends": "license-items", "grace": "license-items",
    "forecast": "statistics", "failures": "why", "pair-lost": "standby", "serves-take-over": "standby",
    "serves-cannot-store": "standby", "serves-hand-back": "standby", "serves-promoted": "standby",
    "clock-back": "index", "clock-ahead": "index", "labels-changed": "index", "database-restored": "index",
    "database-damaged": "index", "test": "usage-alerts",
}  # fmt: skip
"""The portal's page of each kind; every kind is here."""

ENGLISH = {
    "quota": Words("License item {item} of license {license}{whose} has used {percent} of its quota"
                   " ({used} of {quota}).",
                   "Ask the vendor for more, or release seats that nobody needs. Grace ends at {graceEnd}."),
    "overdraft": Words("License item {item} of license {license}{whose} has spent {percent} of its overdraft"
                       " ({used} of {quota}).",
                       "Once it is spent only the licensed number works at a time. Ask the vendor for more."),
    "failures": Words("{percent} of the authorizations of handshake code {code} failed in the last hour"
                      " ({failed} of {all}).",
                      "The page Why? shows what each one lacked."),
    "ends": Words("License item {item} of license {license}{whose} ends {when}.",
                  "Import a renewal into the handshake codes that use it."),
    "grace": Words("License item {item} of license {license}{whose} has ended and works in grace until {graceEnds}.",
                   "Import a renewal before grace ends; then it authorizes nobody."),
    "forecast": Words("License item {item} of license {license}{whose} will be used up {when} at the present rate.",
                      "Used: {used} of {quota}. Ask the vendor for more in time."),
    "pair-lost": Words("The two servers of the pair have lost contact.",
                       "Look at the other server and the network between. Clients are still served."),
    "serves-take-over": Words("The standby server has taken over.",
                              "Look at the main server. Nothing was lost or counted twice."),
    "serves-cannot-store": Words("The main server can store nothing, and the standby serves in its place.",
                                 "Look at the main server's disk. It serves again once it has stored for a minute."),
    "serves-hand-back": Words("The main server serves again.", "Nothing to do."),
    "serves-promoted": Words("The standby server was promoted and is the main one now.",
                             "Send the vendor its activation request within seven days."),
    "clock-back": Words("The server's clock was set back by {inSeconds}.",
                        "Set the clock right; time servers help."),
    "clock-ahead": Words("The server's clock went ahead by {inSeconds}.",
                         "If the time is right, accept it with lts clock accept; else set the clock right."),
    "labels-changed": Words("The server runs on another machine: its licenses authorize nobody here.",
                            "Send the vendor the activation request of the new UUID {newUuid}."),
    "database-restored": Words("An old copy of the database was put in place of a newer one.",
                               "Counts and seats since then are missing here. Look at who restored it, and why."),
    "database-damaged": Words("The server's database is damaged: {reason}.",
                              "What is counted may be wrong. Home says what to do; lts doctor says it too."),
    "test": Words("This is a test.", "Alerts of this server reach you."),
}  # fmt: skip

CHINESE = {
    "quota": Words("许可 {license}{whose} 的许可项 {item} 已使用 {percent} 的配额（{used} / {quota}）。",
                   "请向供应商增购，或释放不再需要的席位。宽限上限为 {graceEnd}。"),
    "overdraft": Words("许可 {license}{whose} 的许可项 {item} 已使用 {percent} 的透支额度（{used} / {quota}）。",
                       "用尽后同时只能使用许可的数量。请向供应商增购。"),
    "failures": Words("最近一小时内握手码 {code} 有 {percent} 的授权失败（{failed} / {all}）。",
        "“为何被拒？”页面说明了每次失败的原因。"),
    "ends": Words("许可 {license}{whose} 的许可项 {item} 将于{when}到期。", "请将续期文件导入使用它的握手码。"),
    "grace": Words("许可 {license}{whose} 的许可项 {item} 已到期，宽限期至 {graceEnds}。",
        "请在宽限期结束前导入续期文件；此后将不再授权。"),
    "forecast": Words("按目前速度，许可 {license}{whose} 的许可项 {item} 将于{when}用尽。",
        "已使用 {used} / {quota}。请及时向供应商增购。"),
    "pair-lost": Words("两台服务器失去联系。", "请检查另一台服务器及其间的网络。客户端仍可正常使用。"),
    "serves-take-over": Words("备用服务器已接管。", "请检查主服务器。计数没有丢失或重复。"),
    "serves-cannot-store": Words("主服务器无法存储，由备用服务器代为服务。",
        "请检查主服务器的磁盘。连续一分钟正常存储后，主服务器会恢复服务。"),
    "serves-hand-back": Words("主服务器已恢复服务。", "无需操作。"),
    "serves-promoted": Words("备用服务器已提升为主服务器。", "请在七天内将其激活请求发送给供应商。"),
    "clock-back": Words("服务器时钟被调回 {seconds} 秒。", "请校正时钟；建议使用时间服务器。"),
    "clock-ahead": Words("服务器时钟超前了 {seconds} 秒。",
        "若时间正确，请运行 lts clock accept 确认；否则请校正时钟。"),
    "labels-changed": Words("服务器已在另一台机器上运行：其许可在此不再授权。",
        "请将新 UUID {newUuid} 的激活请求发送给供应商。"),
    "database-restored": Words("数据库被恢复为旧副本。", "此后的计数和席位在此缺失。请查明由谁恢复及其原因。"),
    "database-damaged": Words("服务器数据库已损坏：{reason}。", "计数可能有误。请查看首页或运行 lts doctor。"),
    "test": Words("这是一封测试邮件。", "本服务器的提醒可以送达。"),
}  # fmt: skip

BOTH = {"en": ENGLISH, "zh": CHINESE}
OF_UNITS = {"en": "Ask the vendor for more. Grace ends at {graceEnd}.", "zh": "请向供应商增购。宽限上限为 {graceEnd}。"}
"""Advice on the quota of an item that counts units, and has no seats to release."""
WHEN = {
    "en": {"ends": ("today, {clock}", "tomorrow, {clock}", "in {days} days, on {end}"),
           "forecast": ("today", "tomorrow", "in {days} days, about {end},")},
    "zh": {"ends": ("今天 {clock} ", "明天 {clock} ", " {days} 天后（{end}）"),
           "forecast": ("今天", "明天", " {days} 天后（约 {end}）")},
}  # fmt: skip
"""`{when}` of these kinds for today, tomorrow, and any later day."""
FRAME = {
    "en": {"more": "{title} (and {n} more)", "greeting": "License Tracking Server", "do": "What to do:",
           "open": "Open in the portal", "server": "Server {uuid}", "time": "As of {time}",
           "footer": "The license server of your company sends this; thresholds and receivers are set on its page"
           " Usage Alerts.", "used": "used", "whose": " (organization {organization})"},
    "zh": {"more": "{title}（另有 {n} 项）", "greeting": "许可跟踪服务器", "do": "处理办法：", "open": "在门户中打开",
           "server": "服务器 {uuid}", "time": "截至 {time}",
           "footer": "本邮件由贵公司的许可服务器发送；阈值和收件人在其“用量提醒”页面设置。",
           "used": "已用", "whose": "（组织 {organization}）"},
}  # fmt: skip
