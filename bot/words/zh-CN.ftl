# 用户会读到的所有简体中文文字。键和 { $变量 } 与 en.ftl 一一对应；缺少的键会显示英文。
# $name 与 $second 是角色名，在支持的平台上已经加粗。
# 用语：你；全角标点；汉字与西文、数字之间留一个空格（紧挨标点时不留）；百分比写作 97%。

## The answer

answer-sure = 这是{ $name }，我有 { $percent } 的把握。
answer-unsure-two = 可能是{ $name }（{ $percent }），也可能是{ $second }（{ $second_percent }）。
answer-unsure-one = 也许是{ $name }（{ $percent }），不过别太当真。
answer-nobody = 这位我不认识。
answer-nobody-close = 这位我不认识。最接近的是{ $name }（{ $percent }）。
answer-already = 这张图我已经回答过了：{ $link }
answer-already-here = 这张图我已经回答过了，就在上面。
answer-picture = 第 { $number } 张 ·
answer-more-pictures = 还有 { $count } 张图没看，一条消息我最多看 { $limit } 张。
answer-no-picture = 这条消息里没有图片。
percent = { NUMBER($part, style: "percent", maximumFractionDigits: 0) }

## Buttons and forms

button-right = 对
button-wrong = 不对
button-someone-else = 另有其人…
button-nobody = 名单上没有
button-undo = 撤回
button-add = 添加新名字“{ $name }”
button-search-again = 重新搜索
wrong-title = 那这是谁？
wrong-who = 那这是谁？只有你能看到这条消息。
search-title = 这是谁？
search-label = 角色名
search-placeholder = 钢铁侠、小蜘蛛、Iron Man…
search-which = “{ $text }”指的是哪一位？
search-none = 没有我认识的角色叫“{ $text }”。
tally-agree = 有 { $count } 人同意。
tally-others = 有 { $count } 人说是{ $name }。
tally-nobody = 有 { $count } 人说不在名单上。

## Thanks

thanks-right = 谢谢，记下了：就是{ $name }。
thanks-corrected = 谢谢，记下了：{ $name }。
thanks-nobody = 谢谢，记下了：不在名单上。
thanks-changed = 改好了：你现在说是{ $name }。
thanks-changed-nobody = 改好了：你现在说不在名单上。
thanks-again = 你已经这么说过了：{ $name }。
thanks-again-nobody = 你已经这么说过了：不在名单上。
thanks-proposed = 谢谢，记下了：{ $name }。这个名字我还没听过，会请管理员看一看。
undone = 已撤回。
undone-to = 已撤回，恢复为你之前说的：{ $name }。
undone-to-nobody = 已撤回，恢复为你之前说的：不在名单上。
undo-nothing = 没有可以撤回的内容。

## What went wrong

error-empty = 这个文件是空的。
error-not-a-picture = 这不是我能读的图片：请发送 JPEG、PNG、WebP、GIF、AVIF 或 HEIC。
error-truncated = 这张图只传了一半，请重新发送。
error-damaged = 这张图已经损坏，我读不出来。
error-too-many-bytes = 文件太大了，我最多接受 { $mebibytes } MB。
error-too-many-pixels = 这张图的像素太多了，我最多接受 { $megapixels } 百万像素。
error-too-slow = 这张图读得太久了，我只好放弃。
error-busy = 现在排队的图片很多，请过 { $seconds } 秒再试。
error-too-late = 花的时间太长了，请稍后再试。
error-worker-gone = 我现在没法看图，请过一分钟再试。
error-trouble = 我这边出了点问题，请过一分钟再试。
error-setting = 不能这样选，所以一切照旧。
error-stopping = 我正要停下来，请过一分钟再问。
error-link-refused = 我不会从那个地址取图片。
error-link-gone = 我取不到那张图：它已经不在了，或者地址不对。
error-link-slow = 我没能及时取到那张图，请再试一次。
error-person-limit = 你发的图片有点多，请过 { $seconds } 秒再继续。
error-community-limit = 这里问的图片有点多，请过 { $seconds } 秒再继续。
error-prediction-gone = 那张图已经不在了，所以什么也没有记下。
error-not-yours = 那个回答属于别的群或服务器，所以什么也没有记下。
error-label-empty = 请写一个名字。
error-label-too-long = 这个名字太长了。
error-label-control = 这个名字里有无法显示的字符。
error-label-mention = 名字不能用来提醒别人，请去掉 @。
error-label-markup = 名字里不能有链接、斜杠或括号。
error-label-no-letters = 名字里要有文字。
error-label-too-many = 一张图里放不下这么多角色。
error-label-refused = 管理员没有通过这个名字。
error-proposals = 你今天添加的新名字已经很多了，请明天再继续。
error-nothing-here = 这里没有我可以更正的回答。
error-old-button = 这个按钮我已经不认识了。
error-ledger = 我没能记下来，请过一分钟再告诉我一次。

## Discord

discord-whois-name = whois
discord-whois-about = 这张图里是谁？
discord-whois-picture = 要看的图片
discord-whois-menu = 这是谁？
discord-correct-name = correct
discord-correct-about = 说出我在本频道最后回答的那张图里是谁
discord-correct-who = 角色名
discord-help-name = help
discord-help-about = 我会做什么，怎么问我
discord-help = 我会说出图里是哪一位漫威电影角色。
    • 提问的方式：使用 /whois；右键点击一条消息 → 应用 → “{ discord-whois-menu }”；发图或回复一张图时提及我；给消息加上 🔎 回应；或者给我发私信。
    • 在回答下面点“对”或“不对”；点了“不对”就可以说出是谁。我不会提醒任何人，你也可以随时改主意：/undo、/mycorrections。
    • /teach 让我认识一个新角色：一个名字和几张图片。
    • /privacy 和 /forgetme 决定你自己的图片，/about 介绍我自己。
    • /setup 给管理服务器的人用；/review、/stats、/characters、/export 和 /console 给管理员用。
    我只认虚构角色，从不辨认真实的人。
discord-undo-name = undo
discord-undo-about = 撤回你最后说的那一次
discord-mine-name = mycorrections
discord-mine-about = 你对图片说过的话，只有你能看到
discord-mine-title = 你说过的话，最新的在前。只有你能看到。
discord-mine-none = 你还没有对任何图片说过什么。
discord-mine-entry = { $number }. 你说是{ $name }，我当时说的是{ $second } · { $when }
discord-mine-picture = 那张图
discord-mine-newest = 最新的
discord-mine-older = 更早的
discord-about-name = about
discord-about-about = 我是什么、认识谁、图片去了哪里
discord-about = 我是 whosthat { $version }，认识 { $count } 位漫威电影角色。我只认虚构角色，不做人脸识别。
discord-about-model = 本频道最后一次回答来自模型 { $bundle }。
discord-about-pictures = 图片只由本程序查看，保留 { $hours } 小时；有人说出图里是谁，才会保留得更久。哪些图可以用来学习，由你决定：/privacy。要我忘掉你：/forgetme。
discord-hidden = Discord 没有让我看到那条消息。请右键点击它 → 应用 → “{ discord-whois-menu }”，或者重新发图并提及我，这样我就能看到了。
discord-reply-gone = 你回复的那条消息已经不在了。
discord-no-history = 我在这里无权读取以前的消息：需要管理本服务器的人允许我“阅读消息历史记录”。
discord-setup-name = setup
discord-setup-about = 设置我在本服务器里的表现，仅限管理服务器的人
discord-setup-server = 这些设置只用于服务器；在私信里，每张图片我都会回答。
discord-setup-not-yours = 只有可以管理本服务器的人才能改变我在这里的表现。
discord-setup-title = **我在本服务器里的表现**：只有你能看到，你的选择立即生效。
discord-setup-watched = • 每张图片都回答的频道：{ $channels }（{ $origin }）
discord-setup-roles = • 管理更正的身份组：{ $roles }
discord-setup-language = • 在频道里回答时用的语言：{ $language }（{ $origin }）。命令和按钮用使用者自己的语言。
discord-setup-strangers = • 图里没有我认识的角色时：{ $what }（{ $origin }）
discord-setup-limit = • 每人每分钟可以问的图片数：{ $count }（{ $origin }）
discord-setup-every = 所有频道
discord-setup-none = 没有频道
discord-setup-nobody = 还没有
discord-setup-here = 在这里选定
discord-setup-operator = 由运营者设定
discord-setup-default = 尚未有人选择
discord-setup-quiet = 我不作声
discord-setup-chatty = 我会说明
discord-setup-language-own = 英语
discord-setup-language-en = 英语
discord-setup-language-zh = 简体中文
discord-setup-channels = 在这些频道里回答每张图片
discord-setup-every-button = 所有频道
discord-setup-none-button = 不选频道
discord-setup-operator-button = 由运营者设定
discord-setup-quiet-button = 安静
discord-setup-chatty-button = 健谈
discord-setup-choose-roles = 管理更正的身份组
discord-setup-own-language = 未选择：英语
discord-setup-operator-limit = 由运营者设定：每分钟 { $count } 张
discord-setup-a-minute = 每分钟 { $count } 张
discord-setup-no-content = ⚠ 没有提及我的消息，Discord 不让我看：需要机器人的运营者先打开消息内容权限（message-content intent）。
discord-setup-no-permission = ⚠ 我无权在 { $channels } 里阅读或发言：请在那里给我“查看频道”“发送消息”和“阅读消息历史记录”权限。

## Telegram

telegram-about-whois = 图里是谁？写在图片说明里，或者回复图片
telegram-about-undo = 撤回你最后说的
telegram-about-mycorrections = 你说过的更正
telegram-about-help = 我能做什么，怎么问我
telegram-about-about = 我是什么，认识谁
telegram-about-setup = 我在这个群里怎么做，由管理员决定
telegram-help = 我会说出图里是哪一位漫威电影角色。
    • 把图发给我：照片、文件、贴纸、GIF、视频或相册都行。
    • 在群里，把 /whois{ $bot } 写在图片说明里，或者用它回复图片，也可以用图片回复我。
    • 回答下面有“对”和“不对”；点“不对”就能告诉我是谁，随时可以改主意：/undo、/mycorrections。
    • 在任何地方输入 { $bot } 和名字，就能查找角色。在几张图片下面写上 /teach 和名字，就能让我认识一个新角色。
    • 可以用你的图片学什么由你决定：/privacy；要删除与你有关的一切：/forgetme。
    我只认虚构角色，从不认真实的人。图片只保留很短的时间；有人说了是谁，才会留得更久。
telegram-help-group = 我会说出图里是哪一位漫威电影角色。
    • 把 /whois{ $bot } 写在图片说明里，或者用它回复图片，也可以用图片回复我。
    • 回答下面有“对”和“不对”；点“不对”就能告诉我是谁。每个人点的都算自己的一票。
    • 在几张图片下面写上 /teach{ $bot } 和名字，就能让我认识一个新角色。
    • 管理员可以让我回答每张图片：/setup{ $bot }，也可以审核大家说过的：/review{ $bot }
    我只认虚构角色，从不认真实的人。
telegram-about = 我是 whosthat { $version }，认识 { $characters } 位漫威电影角色。我只认虚构角色，不做人脸识别。
telegram-all-names = 全部名字
telegram-back = ‹ 返回
telegram-who = 是谁？请用名字回复这条消息。
telegram-mine = 你说过的，最近的在前：
telegram-mine-none = 你还没有对任何图片说过什么。
telegram-mine-line = { $day }，你说是{ $name }，我说的是{ $said }。
mine-nobody = 不在名单上的人
telegram-mine-link = 图片
telegram-mine-more = 更早
telegram-mine-private = 这个我私下告诉你：{ $link }
telegram-setup = 我在这里该怎么做？只有本群管理员可以选择，选好立即生效。
telegram-setup-privacy = ⚠ Telegram 只让我看到发给我的内容。要看到每张图片，我得是这里的管理员，或者由机器人的运营者关闭隐私模式（@BotFather，/setprivacy），再重新拉我进群。
telegram-setup-refused = 只有本群管理员可以决定我在这里怎么做。
telegram-setup-elsewhere = 设置是给群和频道用的：在这里我本来就回答每张图片。
telegram-setup-noted = 记下了。
telegram-setup-all = 每张图片
telegram-setup-asked = 问了才答
telegram-setup-quiet = 不认识就不说
telegram-setup-chatty = 不认识也说
telegram-setup-own = 各用各的语言
telegram-setup-minute = 每分钟 { $count } 张
telegram-setup-any = 这里不限
telegram-language-en = 英语
telegram-language-zh = 简体中文

## The page

web-title = 这是谁？
web-lead = 放一张图进来，我来说说图里是哪一位漫威电影角色。
web-drop = 把图片拖到这里、粘贴进来，或者
web-choose = 选择文件
web-privacy = 图片只由本程序查看，只保留 { $hours } 小时，除非你对它有话要说。
web-looking = 正在看…
web-your-picture = 你问的这张图
web-runners-up = 还可能是谁
web-suggestions = 角色
web-note = 我只认虚构角色，不做人脸识别；电影之外的图片我常常会认错。
web-bundle = 由 { $bundle } 回答，用时 { $milliseconds } 毫秒。
web-forbidden = 这个请求来自别的网页，所以被拒绝了。
web-not-found = 这个地址什么也没有。
web-one-picture = 请发送一张图片。
web-offline = 连不上我了：程序还在运行吗？
web-ask = 提问
web-look-up = 查找
web-wrong-way = 这个地址不接受这种请求。
web-bad-request = 我没看懂这个请求。

## The terminal

run-worker = 模型：{ $bundle }（{ $level }，{ $backend }，线程：{ $threads }），用 { $seconds } 秒准备就绪
run-preparing = 正在准备内置模型
run-worker-waiting = 模型：正在等待 { $url } 的 worker（worker.url）
run-worker-elsewhere = 模型：{ $bundle }，位于 { $url }
run-web = 网页：{ $url }
run-web-off = 网页：已关闭（web.enabled）
run-web-taken = 网页用不了端口 { $port }，另一个程序正在使用：请把 web.port 设为别的端口（0 表示任意）。
run-web-not-allowed = 网页无权使用端口 { $port }：请把 web.port 设为 1023 以上。
run-web-no-address = 网页无法监听 { $host }，它不是本机的地址：请检查 web.host。
run-metrics-no-address = 指标无法在 { $host } 的端口 { $port } 上提供（{ $why }）：请检查 metrics.host 和 metrics.port。
run-discord-off = Discord：已关闭，请在 .env 中设置 DISCORD_TOKEN
run-discord-connecting = Discord：正在连接
run-discord-on = Discord：已上线，名为 { $bot }，在 { $servers } 个服务器中
run-discord-watching = Discord：{ $channels } 中的每张图片都会回答
run-discord-all = Discord：凡是能读的频道，每张图片都会回答
run-discord-asked = Discord：有人问才回答（提及、私信、/whois、“这是谁？”）；没有关注任何频道（discord.auto_channels）
run-discord-no-content = Discord：没有消息内容 intent，所以只回答提及、私信和命令；关注频道需要这个 intent（Developer Portal → Bot → Message Content Intent，以及 discord.message_content）
run-discord-refused = Discord：已关闭，token 被拒绝；请在 Developer Portal 重新生成（Bot → Reset Token），并在 .env 中设置 DISCORD_TOKEN
run-discord-failed = Discord：已关闭，{ $why }
run-telegram-off = Telegram：已关闭，请在 .env 中设置 TELEGRAM_TOKEN
run-telegram-connecting = Telegram：正在连接
run-telegram-on = Telegram：已上线，名为 { $bot }
run-telegram-privacy = Telegram：隐私模式已开启，所以在群组里只看得到 /whois、回复和其他发给机器人的内容，除非它是管理员（@BotFather，/setprivacy）
run-telegram-webhook = Telegram：更新发到 { $url }
run-telegram-conflict = Telegram：另一个程序正用同一个 token 接收更新；请停掉那个，这个会继续尝试
run-telegram-refused = Telegram：已关闭，token 被拒绝；请向 @BotFather 重新要一个（/token），并在 .env 中设置 TELEGRAM_TOKEN
run-telegram-failed = Telegram：已关闭，{ $why }
run-ready = 就绪，用时 { $seconds } 秒。按 Ctrl-C 停止。
run-stopping = 正在停止：先把正在回答的答完。
run-again = 正在恢复备份：马上重新启动。
run-stopped = 已停止。

## The operator

backup-under-way = 正在备份
backup-done = 已存入 { $file }：{ $pictures } 张图片，{ $votes } 条更正，{ $mebibytes } MiB。文件里有 person.key，请像保护机器人本身一样保护它。
backup-gone = { $count } 张图片在备份期间被清理，不在其中。
backup-damaged = { $count } 张图片在磁盘上已损坏，没有备份。
restore-under-way = 正在恢复
restore-done = 已恢复到 { $made } 时的样子：{ $pictures } 张图片，{ $votes } 条更正。
restore-upgraded = 数据表已从 { $old } 升级到 { $new }。
restore-kept = 原有的内容在 { $folder } 中，不再需要时可以删除。
db-under-way = 正在处理
db-nothing = 无
db-is-current = 数据表的版本是 { $revision }，正是本程序需要的。
db-is-older = 数据表的版本是 { $revision }，本程序需要 { $head }：请运行 whosthat db upgrade。
db-kept = 旧文件保留为 { $file }。
db-upgraded = 数据表已从 { $old } 升级到 { $new }。
db-copying = 正在复制
db-copied-table = { $table }：{ $rows } 行，{ $sum }
db-copied = 已复制 { $tables } 个表，共 { $rows } 行；两边的行数和校验和一致。
db-copied-next = 图片和 person.key 仍在 { $folder } 中。请把 database.url 设为新的地址，然后启动机器人；在别的机器上，它也需要这个文件夹。
doctor-secret = [密钥]
doctor-and = 、
doctor-settings-ok = 设置：已读取 { $file }。
doctor-settings-none = 设置：这里没有 config.toml，全部采用默认值。
doctor-settings-bad = 设置：{ $why }
doctor-folder-ok = 文件夹：{ $folder } 可以写入，其中的秘密只有运营者能读。
doctor-folder-new = 文件夹：{ $folder } 会在第一次启动时建立。
doctor-folder-bad = 文件夹：{ $folder } 无法写入（{ $why }）：请让运行机器人的用户拥有它，或修改 data_dir。
doctor-folder-open = 文件夹：本机其他用户可以读取 { $file }：请对它执行 chmod 600。
doctor-disk-ok = 磁盘：剩余 { $free } GiB，保存的图片最多还会占用 { $more } GiB（retention.disk_gibibytes）。
doctor-disk-bad = 磁盘：只剩 { $free } GiB，保存的图片还可能占用 { $more } GiB：请腾出空间，或调低 retention.disk_gibibytes。
doctor-database-ok = 数据库：{ $place } 完好、可写，版本 { $revision }。
doctor-database-new = 数据库：{ $place } 会在第一次启动时建立。
doctor-database-older = 数据库：{ $place } 的版本是 { $revision }，本程序需要 { $head }：请运行 whosthat db upgrade。
doctor-database-bad = 数据库：{ $why }；请修复，或用 whosthat restore 恢复备份。
doctor-key-ok = 密钥：person.key 与账本相符。
doctor-key-new = 密钥：有账本之后才检查。
doctor-key-bad = 密钥：{ $why }。
doctor-worker-ok = Worker：{ $url } 有应答，使用 { $bundle }。
doctor-worker-bad = Worker：{ $why }。
doctor-worker-mixed = Worker：各 worker 使用的模型不一致（{ $models }）：逐台更换模型时这很正常；否则请在每台机器上运行 whosthat models use。
doctor-model-ok = 模型：{ $bundle } 用 { $milliseconds } 毫秒回答了一张图片。
doctor-model-bad = 模型：{ $why }；请检查 model.use（{ $use }），或把它设为 "builtin"。
doctor-model-elsewhere = 模型：worker.url 中没有一个 worker 回答图片：{ $why }。
doctor-clock-ok = 时钟：与 { $host } 相差 { $seconds } 秒。
doctor-clock-bad = 时钟：与 { $host } 相差 { $seconds } 秒：请让系统自动校时（timedatectl set-ntp true）。
doctor-clock-none = 时钟：没有可以对照的平台。
doctor-clock-silent = 时钟：{ $host } 没有说现在几点。
doctor-clock-unknown = 时钟：无法询问 { $host }（{ $why }）。
doctor-why-slow = 没有及时回答
doctor-why-name = 域名无法解析
doctor-why-tls = 证书不可信
doctor-why-status = 状态 { $status }
doctor-discord-none = Discord：已关闭，没有设置 DISCORD_TOKEN。
doctor-discord-ok = Discord：token 属于 { $bot }。
doctor-discord-refused = Discord：token 被拒绝：请在 Developer Portal 重新生成（Bot → Reset Token），并在 .env 中设置 DISCORD_TOKEN。
doctor-discord-away = Discord：连不上（{ $why }）：请检查网络和 discord.api_base。
doctor-discord-content-ok = Discord：消息内容 intent 已打开。
doctor-discord-content-off = Discord：没有请求消息内容 intent（discord.message_content），所以只回答提及、私信和命令。
doctor-discord-content-bad = Discord：消息内容 intent 是关闭的：请打开它（Developer Portal → Bot → Message Content Intent），或把 discord.message_content 设为 false。
doctor-discord-channels-none = Discord：没有关注任何频道。
doctor-discord-channels-ok = Discord：{ $count } 个关注的频道都给了所需的权限。
doctor-discord-channel-bad = Discord：在 { $channel } 缺少：{ $permissions }；请在那里把权限给机器人的身份组，或不再关注这个频道。
doctor-discord-channel-gone = Discord：频道 { $channel } 已经不在：请从 discord.auto_channels 或 /setup 中去掉它。
doctor-discord-channels-more = Discord：还有 { $count } 个频道有同样的问题；频道设置 → 权限里可以看到。
doctor-discord-threads = Discord：有 { $count } 个关注的频道不让机器人在子区里回答；那里现在没有子区，以后有了就需要“在子区内发送消息”权限。
doctor-permission-view = 查看频道
doctor-permission-send = 发送消息
doctor-permission-threads = 在子区内发送消息
doctor-permission-history = 阅读消息历史记录
doctor-telegram-none = Telegram：已关闭，没有设置 TELEGRAM_TOKEN。
doctor-telegram-ok = Telegram：token 属于 { $bot }。
doctor-telegram-refused = Telegram：token 被拒绝：请向 BotFather 另要一个（/token），并在 .env 中设置 TELEGRAM_TOKEN。
doctor-telegram-away = Telegram：连不上（{ $why }）：请检查网络和 telegram.api_base。
doctor-telegram-privacy-off = Telegram：隐私模式已关闭，群组可以让每张图片都得到回答。
doctor-telegram-privacy-on = Telegram：隐私模式已打开，群组里只有提及、回复和命令会到达机器人；可以在 BotFather 更改（/setprivacy）。
doctor-telegram-privacy-admin = Telegram：隐私模式是打开的，但在 { $count } 个希望每张图片都得到回答的群组里，机器人是管理员，什么都看得到。
doctor-telegram-privacy-bad = Telegram：有 { $count } 个群组希望每张图片都得到回答，但隐私模式是打开的：请关闭它（BotFather → /setprivacy → Disable），再把机器人移出群组并重新加入，或者让它在那里当管理员。
doctor-telegram-mute = Telegram：有 { $count } 个群组希望每张图片都得到回答，但机器人不能在那里发言：请让群管理员解除限制（权限 → 例外；频道则是发布消息的权限）。
doctor-telegram-gone = Telegram：有 { $count } 个曾希望每张图片都得到回答的群组里，已经没有机器人了。
doctor-telegram-polling = Telegram：采用轮询，没有 webhook 妨碍。
doctor-telegram-webhook-ok = Telegram：{ $host } 上的 webhook 已设置，工作正常。
doctor-telegram-webhook-was = Telegram：{ $host } 上的 webhook 已设置；上次出错是在 { $count } 小时前（{ $why }）。
doctor-telegram-webhook-left = Telegram：{ $host } 上设置了 webhook，但 telegram.mode 是 "polling"：请停掉设置它的程序，或把 telegram.mode 设为 "webhook"。
doctor-telegram-webhook-none = Telegram：telegram.mode 是 "webhook"，但没有设置 webhook：启动机器人就会设置，或把 telegram.mode 设为 "polling"。
doctor-telegram-webhook-other = Telegram：webhook 在 { $host }，而不是 telegram.webhook_url 所说的 { $wanted }：启动机器人就会设置。
doctor-telegram-webhook-trouble = Telegram：{ $host } 上的 webhook 出错（{ $why }）：请检查机器人前面的代理和 telegram.webhook_url。

## 同意与隐私（所有平台）

button-learn = 可以用这张图学习吗？
button-learn-these = 可以用这些图学习吗？
learn-thanks = 谢谢！我可以用这张图和你今后发的图来学习。随时可以收回：/privacy
learn-again = 你已经同意过了，谢谢。随时可以收回：/privacy
privacy-title = 可以用你的图片来学习吗？每张图都会先由管理员查看，你的选择立即生效。只有你能看到这条消息。
privacy-now = 目前：{ $standing }
privacy-chosen = 记下了。从现在起：{ $standing }
privacy-ask = 只用你逐张同意过的图片
privacy-from-now = 你今后发的图片，以及已经同意过的
privacy-all = 你的所有图片，包括以前的
privacy-never = 不用你的任何图片
privacy-button-ask = 每次都问我
privacy-button-from-now = 从现在起
privacy-button-all = 全部
privacy-button-never = 都不用
privacy-forget = 要删除与你有关的一切：/forgetme
forget-ask = 这会删除你的图片、你对图片说过的一切、我回复你的消息的地址，以及我用来认出你的标识。删除后无法恢复。管理员以前的导出会列出需要去掉的内容。
forget-button = 是的，忘掉我
forget-done = 好了，已经忘掉你：{ $pictures ->
    [0] 没有你的图片
   *[other] 删除了 { $pictures } 张图片
}，{ $votes ->
    [0] 也没有你说过的话
   *[other] 以及你说过的 { $votes } 条
}。如果你再发图，我们就重新开始。

## 在聊天中审核

review-case = 第 { $number } 号
review-progress = 待审 { $open }（其中意见一致 { $agreed }）· 已通过 { $approved } · 已拒绝 { $rejected } · 你今天：{ $mine }
review-said = 我说的是：{ $answer }
review-unseen = 我没有对这张图说过什么。
review-opinion = { $count } 人说是{ $name }
review-people = 大家的意见：{ $opinions }。
review-people-none = 还没有人说过什么。
review-agreement = 按大家的意见，有 { $percent } 的把握是{ $name }。
review-agreed = 足够多的人意见一致：{ $name }，{ $percent }。
review-why-disagreement = 显示的原因：大家意见不一。
review-why-margin = 显示的原因：我差点给出另一个答案。
review-why-rare = 显示的原因：这个角色的图片很少。
review-why-suspected = 显示的原因：大家的意见与我很确定的答案相反。
review-why-few = 显示的原因：说过的人还很少。
review-why-agreed = 显示的原因：很多人意见一致，看一眼就够了。
review-copies = 这张图的 { $count } 个副本会一起决定。
review-no-consent = 发图的人没有同意用它来学习，所以不会导出。
review-gone = 图片本身已不再保存。
review-too-large = 图片太大，无法在这里显示。
review-alt = 第 { $number } 号的图片
review-and = {"、"}
review-approve = 通过：{ $name }
review-nobody = 都不是
review-reject = 拒绝
review-skip = 跳过
review-is = 是……
review-search = 搜索……
review-approved = 已通过：{ $name }。
review-rejected = 已拒绝：不会使用这张图。
review-skipped = 已跳过，以后会再出现。
review-undone = 已收回，请再看一次。
review-undo-nothing = 没有可以收回的决定。
review-changed = 这一张在这期间有了变化，请再看一次。
review-stale = 那一张已经决定过了，所以什么也没有改变。
review-done = 没有要审核的了，谢谢！
review-done-taken = 剩下的正由其他管理员查看，谢谢！

stats-title = 这里的更正
stats-accuracy = 在 { $judged } 张已决定的图片中，我说对了 { $right } 张（{ $percent }）。
stats-accuracy-none = 还没有决定过任何图片，所以不知道我有多准。
stats-character = { $name }：已通过 { $approved }，待审 { $open }
stats-character-judged = { $name }：已通过 { $approved }，待审 { $open }，我说对了 { $judged } 张中的 { $right } 张
stats-more = 还有 { $count } 个角色图片很少。
stats-none = 还没有任何角色有图片。

## Discord 上的管理员与隐私

discord-privacy-name = privacy
discord-privacy-about = 我可不可以用你的图片学习；只有你能看到
discord-forget-name = forgetme
discord-forget-about = 删除你的图片和你说过的一切；会先询问
discord-review-name = review
discord-review-about = 逐张查看大家说过的内容（管理员）
discord-review-server = 这个命令用于服务器：私信里没有要管理的内容。
discord-stats-name = stats
discord-stats-about = 审核的进度，以及我有多准（管理员）
discord-console-name = console
discord-console-about = 在浏览器里审核的链接（管理员）
discord-console = 管理员页面，仅供你使用：{ $link }
    链接只能用一次，{ $minutes } 分钟内有效。请不要转发。
discord-export-name = export
discord-export-about = 把通过的图片导出为可训练的文件夹（管理员）
discord-export-character = 只要这个角色
discord-export-since = 只要这一天以后决定的，例如 2025-01-31
discord-export-no-day = 请这样写日期：2025-01-31
discord-characters-name = characters
discord-characters-about = 这里可以说出的角色（管理员）
discord-characters-which = 角色的名字
discord-characters-into = 从现在起算作哪个角色
discord-characters-list-name = list
discord-characters-list-about = 提议的名字和已知的名字
discord-characters-add-name = add
discord-characters-add-about = 添加一个角色
discord-characters-accept-name = accept
discord-characters-accept-about = 接受一个提议的名字
discord-characters-refuse-name = refuse
discord-characters-refuse-about = 拒绝一个提议的名字
discord-characters-rename-name = rename
discord-characters-rename-about = 修改名字
discord-characters-merge-name = merge
discord-characters-merge-about = 让一个角色算作另一个；会先询问

## 在聊天中管理角色名单

cast-title = 这里有 { $count } 个已知角色，没有等待处理的提议。
cast-proposed = 有 { $count } 个提议的名字在等你：
cast-line-proposed = { $name }（提议）：已通过 { $approved }，待审 { $open }
cast-choose = 查看一个可以在这里更改的名字……
cast-accept = 接受
cast-refuse = 拒绝
cast-rename = 改名……
cast-merge = 合并……
cast-back = 名单
cast-english = 英文名
cast-chinese = 中文名
cast-rename-title = 它叫什么？
cast-merge-title = 算作哪个角色？
cast-accepted = 已接受：{ $name }现在是这里的角色之一。
cast-refused = 已拒绝：{ $name }。不能再次提议。
cast-renamed = 已改名：{ $name }。
cast-added = 已添加：{ $name }。
cast-merge-ask = 要让大家关于{ $name }说过的一切从现在起都算作{ $second }吗？旧名字仍然能找到它。
cast-merge-yes = 是的，就是{ $name }
cast-merge-same = 这是同一个角色。
cast-merged = 已合并：{ $name }从现在起算作{ $second }。
cast-unknown = 这里没有这个角色。

## 同意与被忘记：拒绝的原因，以及页面和终端上的文字

error-not-poster = 只有发这张图的人才能回答。
error-forgotten = 发这张图的人要求我忘掉它，所以我不会再看。
training-discord-off = Discord 训练已关闭（discord.allow_training）：来自 Discord 的图片既不用于学习也不导出，因为 Discord 的开发者政策规定，未经其明确许可，任何人不得用那里发布的内容训练模型。{ $policy }
training-discord-on = Discord 训练已开启（discord.allow_training）：来自 Discord 的图片在管理员通过且发图的人同意后会用于学习。Discord 的开发者政策要求取得明确许可，由运行这个机器人的人负责。{ $policy }
web-privacy-link = 我用什么学习，以及怎样让我忘掉你
web-privacy-title = 你的图片
web-privacy-who = 这个页面只靠一个 Cookie 认出你：你在这里的选择只对这个浏览器有效。
web-privacy-back = 返回页面
web-forget-title = 忘掉我
sweep-under-way = 正在清理
sweep-done = { $count ->
    [0] 没有过期的图片。
   *[other] 清除了 { $count } 张图片（{ $mebibytes } MiB）。
}

## Telegram 上的管理与隐私

telegram-about-privacy = 我可以怎样用你的图片学习
telegram-about-forgetme = 删除与你有关的一切，会先确认
telegram-about-review = 逐张查看大家说了什么（管理员）
telegram-about-stats = 审核进展如何（管理员）
telegram-about-characters = 大家提议的名字（管理员）
telegram-about-export = 导出已通过的图片用于训练（管理员）
telegram-about-console = 在浏览器里审核（管理员）
telegram-alone = 这件事我们私下来做：
telegram-alone-button = 去私聊
telegram-which-group = 哪个群？
telegram-no-group = 你指的是哪个群？请在那个群里发送 { $command }，再点我回答下面的按钮。只有群管理员可以。
telegram-cast-add = 添加……
telegram-cast-name = 它叫什么？请用名字回复这条消息；如果还有英文名，用斜杠隔开：洛基 / Loki
telegram-console = 管理员页面，只给你一个人：{ $link }
    链接只能用一次，{ $minutes } 分钟内有效。请不要转发。

## Moderation: why not
error-stale = 这张图片在此期间有了变化，因此没有作出决定：现在的情况如下。
error-not-found = 这里没有这个编号的内容。
error-not-moderator = 在这里只有管理员可以这样做。
error-no-console = 浏览器审核尚未设置：运营者可以设置 web.public_url。
error-unknown-label = 这里没有人叫“{ $label }”。
error-shared-character = 这个角色由所有社区共享，只有运营者可以更改。
error-label-taken = 已经有角色叫这个名字了。
error-label-language = 名字只能是英文或中文。
error-label-itself = 这是同一个角色。
error-label-accepted = 这个名字已被接受：可以合并或改名。

## 浏览器中的管理员控制台

console-title = whosthat · 审核
console-to-content = 跳到内容
console-pages = 页面
console-page-queue = 待审
console-page-agreed = 意见一致
console-page-characters = 角色
console-page-exports = 导出
console-page-agreement = 一致程度
console-page-history = 历史
console-sign-in = 登录
console-sign-in-once = 这个链接只能用一次。在这里登录，查看大家的意见。
console-sign-out = 退出
console-signed-out = 你已经退出登录。
console-how = 管理员用一次性链接登录：
console-how-chat = 在你管理的地方发送 /console，链接只打开那个地方；
console-how-terminal = 在运行机器人的电脑上输入：whosthat console
console-how-long = 链接在 { $minutes } 分钟内有效。
console-link-stale = 这个链接已经用过、已经过期，或者从来不存在。请再要一个。
console-offline = 没能发送，所以什么也没有决定：程序还在运行吗？
console-waiting = 正在取下一张图……
console-copy = 副本 { $number }
console-leads = { $name }，把握 { $percent }
console-is-approved = 已通过：{ $name }
console-is-rejected = 已拒绝
console-people = { $count ->
    [0] 还没有人说过什么
   *[other] { $count } 人说过
}
console-guess = 机器人的答案
console-guess-said = 机器人说：{ $name }
console-picks = 最可能的名字
console-is-it = 就是这个
console-progress = 已决定 { $decided } / { $all } · 你今天决定了 { $mine } 个
console-filter = 筛选
console-filter-status = 状态
console-filter-reason = 显示的原因
console-filter-character = 角色
console-filter-agreed = 意见一致
console-filter-community = 地方
console-private = 私聊
console-filter-do = 显示
console-filter-none = 显示全部
console-any = 不限
console-yes = 是
console-no = 否
console-status-open = 待审
console-status-approved = 已通过
console-status-rejected = 已拒绝
console-status-withdrawn = 已收回
console-reason-disagreement = 大家意见不一
console-reason-margin = 机器人拿不准
console-reason-rare = 这个角色的图片很少
console-reason-suspected = 大家与很确定的答案相反
console-reason-few = 说过的人还很少
console-reason-agreed = 很多人意见一致
console-blind = 隐藏机器人的答案
console-nothing-fits = 没有（更多）符合筛选的图片，或者其他管理员正在查看。
console-look-again = 再看看
console-stale = 这期间有了新的意见，所以没有决定：请再看一次。
console-stale-approved = 有人更快，所以没有采用你的决定：已通过，是{ $name }。
console-stale-rejected = 有人更快，所以没有采用你的决定：已拒绝。
console-keys = 按键
console-keys-on = 启用单键操作
console-close = 关闭
console-key-approve = 通过领先的名字，继续下一张
console-key-pick = 是最可能的名字之一
console-key-nobody = 名单上没有
console-key-reject = 拒绝：这张图没有用
console-key-skip = 先跳过
console-key-undo = 撤回你上一个决定
console-key-search = 搜索名字
console-key-guess = 显示或隐藏机器人的答案
console-key-keys = 显示这些按键
console-agreed-title = { $count ->
    [0] 没有意见一致的图片
   *[other] { $count } 张图片意见一致
}
console-agreed-lead = 足够多的人说了同样的话。看着不对的就取消勾选，它会留在待审里。
console-agreed-people = { $count } 人，{ $percent }
console-agreed-do = 通过勾选的
console-agreed-all = 不看，全部通过（{ $count } 张）
console-agreed-none = 没有足够多的人意见一致的图片。
console-bulk-done = { $count ->
    [0] 没有通过任何图片。
   *[other] 通过了 { $count } 张图片。
}
console-bulk-late = 有 { $count } 张这期间有了变化，没有改动。
console-proposals = { $count } 个提议的名字
console-known = { $count } 个角色
console-counts = 已通过 { $approved }，待审 { $open }
console-name-en = 英文名
console-name-zh = 中文名
console-aliases = 其他名字，每行一个
console-accept = 接受
console-refuse = 不接受
console-same-as = 是已有的角色
console-merge-into = 其实是
console-merge = 合并
console-change = 修改
console-rename = 保存名字
console-add-title = 添加角色
console-add = 添加
console-only-here = 仅限这里
console-column-name = 角色
console-column-approved = 已通过
console-column-open = 待审
console-accuracy = 在 { $judged } 张已决定的图片中，机器人说对了 { $right } 张（{ $percent }）。
console-accuracy-none = 还没有决定过任何图片，所以不知道机器人有多准。
console-column-right = 机器人答对
console-confusion = 机器人把谁认成谁
console-confusion-lead = 每行是决定的角色，每列是机器人的答案。绿色表示答对。
console-agreement-lead = 大家彼此之间以及与管理员之间有多一致。这里没有任何人的名字。
console-agreement-people = 投过票的人
console-agreement-trusted = 比新人更有分量
console-agreement-doubted = 分量更轻
console-agreement-confirmed = 管理员认可的意见
console-agreement-cases = 意见一致并得到认可的图片
console-agreement-alpha = Krippendorff α 系数
console-agreement-alpha-means = 全部一致时为 1，只相当于碰巧一致时为 0。
console-histogram = 按答对的比例看有多少人
console-histogram-none = 还没有人有五条已决定的意见。
console-histogram-lead = 在至少有五条意见已决定的人当中，各个认可比例有多少人。
console-history-lead = 所有决定，最近的在前。人只显示密钥的开头；时间为 UTC。
console-history-when = 时间
console-history-who = 谁
console-history-what = 做了什么
console-history-case = 编号
console-history-before = 之前
console-history-after = 之后
console-history-you = 你
console-history-auto = 按一致意见
console-history-older = 更早的
console-history-none = 还没有决定过什么。
console-did-approve = 通过
console-did-auto = 按一致意见通过
console-did-reject = 拒绝
console-did-skip = 跳过
console-did-undo = 撤回
console-did-accept = 接受了名字
console-did-refuse = 没有接受名字
console-did-rename = 改了名字
console-did-merge = 合并
console-did-add = 添加了角色
console-did-settings = 改了设置
console-did-export = 导出
console-did-import = 导入
console-export-would = { $count ->
    [0] 现在没有可以导出的
   *[other] 现在可以导出 { $count } 张图片
}
console-export-making = 正在制作快照，本页会自动刷新。
console-export-format = 格式
console-export-since = 从哪天起决定的
console-export-do = 制作快照
console-export-lead = 快照包含已通过、且发图的人同意的图片，并说明每张的来历。文件保留 { $hours } 小时。
console-export-made = 快照
console-export-snapshot = 快照编号
console-export-pictures = 图片
console-export-held = 未导出
console-export-withdrawn = 此后收回
console-export-file = 文件
console-at = { $at }（UTC）
console-export-drop = 要去掉 { $count } 张
console-export-not-kept = 已不再保留
console-export-nothing = 没有可以导出的。
console-export-bad-day = 日期要写成 2026-01-31 这样，而不是“{ $text }”。
console-export-bad-format = 导出格式是 imagefolder、csv 或 parquet，而不是“{ $text }”。
console-export-done = 已制作：{ $snapshot }，共 { $count } 张图片。
console-download = 下载
console-download-once = 这个链接只能用一次。文件包含你那里已通过的图片，并说明每张的来历。
console-link = 打开这个链接登录（{ $minutes } 分钟内有效，只能用一次）：{ $url }
console-page-off = 页面已关闭（web.enabled），所以没有可以登录的控制台。
console-port-any = web.port 是 0，只有运行中的机器人知道页面地址：请用它在终端里显示的链接，或者设置 web.port。
console-no-address = 页面不在本机回环地址上（web.host）：请设置 web.public_url，这样才知道链接怎么开头。
run-console-asked = 审核：运行 whosthat console 可以得到登录链接。
run-console = 审核：{ $url }（{ $minutes } 分钟内有效，只能用一次）

# whosthat corrections export, snapshots, withdrawn, import

export-under-way = 正在导出
export-done = 已将 { $count } 张图片导出到 { $place }，快照为 { $snapshot }。
export-splits = 训练 { $train }，验证 { $validation }，测试 { $test }
export-held-consent = 有 { $count } 张未导出：未获同意。
export-held-discord = 有 { $count } 张未导出：未开启 Discord 训练（discord.allow_training）。
export-held-gone = 有 { $count } 张未导出：图片已不再保存。
export-held-disputed = 有 { $count } 张未导出：各社区的决定不一致。
export-held-refused = 有 { $count } 张未导出：角色名后来被拒绝。
export-held-test = 有 { $count } 张未导出：与测试图片近似。
export-snapshot = { $snapshot }  { $at }  { $count } 张图片，{ $format }，{ $community }
export-snapshot-withdrawn = （此后撤回 { $count } 张）
export-every-community = 所有社区
export-no-snapshots = 还没有导出过任何内容。
corrections-bad-community = 社区写作 platform:id，例如 discord:1234，而不是“{ $text }”。
corrections-bad-since = 日期写作 2026-01-31，或用 7d 表示七天前，而不是“{ $text }”。
import-under-way = 正在导入
import-done = 已导入 { $count } 张图片，{ $there } 张原本就有。
import-not-read = 有 { $count } 张无法读取：{ $name }
import-differing = 有 { $count } 张之前已有不同的决定，保持不变：{ $name }
import-queued = 它们在队列中等待管理员决定。
import-no-consent = 未加 --consent，这些图片不会导出，并会在 retention.unconsented_days 之后删除。
import-either = 请选择 --approved 或 --queue：图片按其名称直接通过，还是等待审核。
import-nothing-there = 没有名为 { $file } 的文件夹或文件。
import-empty = 里面没有图片。
import-no-zip = { $file } 不是可读取的 zip 文件（{ $why }）。
import-unreadable = 无法读取 { $file }（{ $why }）。
import-link = 里面有链接（{ $file }）：不会跟随链接，请复制它所指的内容。
import-outside = 里面有指向外部的名称：{ $file }
import-locked = { $file } 有密码保护：请先解压。
import-packing = { $file } 的压缩方式无法读取：请重新打包为普通 zip 文件。
import-too-deep = 里面的文件夹超过 { $most } 层：{ $file }
import-too-many = 里面的图片超过 { $most } 张：请分批导入。
import-parquet = { $file } 是 Parquet 文件，不能读取：要在别处导入，请导出为 imagefolder 或 csv。
import-no-label = { $file } 所在的文件夹没有说明是谁，也没有 metadata.jsonl 说明。
import-several = { $file } 里有多个角色，但没有 metadata.jsonl 说明是谁。
import-bad-row = { $file } 的第 { $number } 行缺少 file_name 或标签，或无法读取。
import-long-table = { $file } 太长，不可能是图片列表。
import-unknown = 有 { $count } 个名称在这里没有对应的角色，因此没有导入：{ $name }。请改正名称，或用 --propose 提议。
import-bad-label = 没有角色可以叫 { $name }，因此没有导入。
import-many-labels = 有图片的角色超过 { $most } 个，因此没有导入。

## 在聊天中交付的导出

release-done = 快照 { $name }：{ $count } 张图片，一个可以直接训练的文件夹，打包成一个 zip 文件。
release-nothing = 没有可以导出的内容。
release-no-link = 文件太大，无法作为附件发送，而页面也没有可用于链接的地址：运营者可以设置 web.public_url，或运行 whosthat corrections export。
release-link = 文件太大，无法作为附件发送。这个链接只能用一次，{ $hours } 小时内有效：
error-export-disk-full = 磁盘空间不足，无法导出：需要运营者清理空间。
error-export-moved-on = 导出时内容一直在变化，请再试一次。
error-export-trouble = 无法写出导出文件，原因见运营者的日志。

## 模型版本与重新训练

models-serves = 现在由 { $bundle } 作答。
models-noted = 下次启动时将由 { $bundle } 作答；目前这里没有运行中的机器人。
models-elsewhere = 已在此记录 { $bundle }，但 { $url } 的工作进程有自己的模型：请在那台机器上执行同样的命令。
models-refused = 无法加载 { $bundle }，因此仍由 { $now } 作答：{ $why }
models-refused-last = 最近选择的 { $bundle } 无法加载：{ $why }
models-late = 运行中的工作进程未能在 { $seconds } 秒内加载 { $bundle }；它仍在作答，详情见其日志。
models-unknown = 没有名为 { $bundle } 的版本：用 whosthat models list 查看有哪些。
models-legend = * 正在使用，< 之前使用
models-figures = 正确率 { $percent }（{ $part }）
models-no-figures = 没有数据
models-gone = 已不存在
models-no-card = 它没有说明卡。
models-no-report = 尚未对它做过把关评估。
models-report-yes = 把关结果：通过
models-report-no = 把关结果：不通过
models-pushed = 已上传 { $bundle }：{ $url }
retrain-phase-idle = 目前没有在重新训练。
retrain-phase-exporting = 重新训练：正在收集已批准的内容（{ $percent }）。
retrain-phase-training = 重新训练：正在从 { $count } 条更正中学习（{ $percent }）。
retrain-phase-gating = 重新训练：正在将 { $bundle } 与现用模型比较（{ $percent }）。
retrain-phase-asking = { $bundle } 不逊于或优于 { $current }。要启用它吗？
retrain-phase-swapping = 重新训练：{ $bundle } 正在接替（{ $percent }）。
retrain-phase-done = 学习了 { $count } 条更正后，现在由 { $bundle } 作答。
retrain-phase-refused = { $bundle } 不够好，因此仍由 { $current } 作答。
retrain-phase-declined = { $bundle } 未被采用；仍由 { $current } 作答。
retrain-phase-failed = 重新训练在“{ $step }”时中止；现用模型没有变化。{ $why }
retrain-phase-cancelled = 重新训练已取消；现用模型没有变化。
retrain-step-exporting = 收集已批准的内容
retrain-step-training = 学习
retrain-step-gating = 比较
retrain-step-swapping = 新模型接替
retrain-not-allowed = 只有运营者以及 training.communities 中社区的管理员可以这样做。
retrain-running = 已有一次重新训练正在进行。
retrain-waiting = { $bundle } 仍在等待答复：请先采用或拒绝它。
retrain-nothing-asked = 没有新模型在等待答复。
retrain-nothing-runs = 没有正在进行的重新训练。
retrain-trouble = 无法完成，原因见运营者的日志。
retrain-started = 重新训练已开始；whosthat retrain --watch 可查看进度。
retrain-answer = whosthat retrain --promote 启用它，--decline 丢弃它。
retrain-one-option = --watch、--status、--cancel、--promote 和 --decline 每次只能用一个。
retrain-reason = { $sign } { $check }：{ $figures }
retrain-check-characters = 角色
retrain-check-overall = 总体
retrain-check-per-character = 各个角色
retrain-check-calibration = 校准
retrain-check-certainty = 错误却很确定
retrain-check-strangers = 陌生人
retrain-check-nobody = 无人或有人
retrain-check-speed = 速度
retrain-check-corrections = 近期更正
retrain-check-corrections-per-character = 近期更正中的各个角色
retrain-check-other = 其他检查
gate-characters-same = 两者认识同样的 { $count } 个角色
gate-characters-missing = 它不再认识 { $names }
gate-characters-missing-allowed = 它不再认识 { $names }，这是允许的
gate-characters-new = 它还认识 { $names }：只计入总体，现用模型叫不出这些角色
gate-new = { $name }（{ $count } 张图片）
gate-overall = { $count } 张图片中答对 { $after }，原为 { $before }（多对 { $gained } 张，少对 { $lost } 张）；有 95% 的把握至少 { $bound }
gate-overall-hidden = { $text }；但在两者都认识的角色上，损失超出偶然（p = { $p }）
gate-overall-asked = { $text }，要求为 { $margin }
gate-overall-more = { $text }：同样好的候选模型大约需要 { $needed } 张图片才能证明这一点
gate-points = { $points } 个百分点
gate-character = { $name } { $before } → { $after }，共 { $count } 张（p = { $p }）
gate-character-worse = 变差的有 { $characters }
gate-character-none = { $count } 个角色中没有一个明显变差
gate-calibration = 校准误差 { $after }，原为 { $before }
gate-certainty = 错误却很确定：占图片的 { $after }，原为 { $before }
gate-strangers = 区分陌生人（AUROC）{ $after }，原为 { $before }
gate-nobody = 正确判断“无人”或“有人”的比例为 { $after }，原为 { $before }
gate-allowed = { $text }，最多允许变差 { $margin }
gate-not-measured = 未测量：没有不含任何角色的图片
gate-speed = 每张图片 { $after } 毫秒，原为 { $before } 毫秒：是原来的 { $ratio } 倍，最多允许 { $margin } 倍
gate-corrections = { $count } 条近期更正中答对 { $after }，原为 { $before }（多对 { $gained } 条，少对 { $lost } 条，p = { $p }）
agrees-now = 🎓 新模型同意你的看法：{ $name }。
agrees-now-nobody = 🎓 新模型同意你的看法：不是我认识的角色。

## 为什么

button-why = 为什么？
why-title = 为什么是{ $name }？
why-closest = 不是我认识的角色：最接近的是{ $name }，原因如下。
why-other = 当时的回答是{ $said }，但模型自己现在会说{ $name }，原因如下。
why-falls = 亮的部分就是判断的依据：遮住最亮的部分后，{ $name }从 { $percent } 降到 { $left }。
why-holds = 没有哪一处单独决定结果：{ $name }是 { $percent }，遮住最亮的部分后仍有 { $left }。
why-nearest = { $count ->
   *[other] 这里有人指认过的最接近的图片（从左到右）：{ $names }。
}
why-nearest-none = 这里还没有既被指认过、我又可以展示的图片。
why-honest = 我的办法是逐处遮住图片再看一遍。它显示答案来自哪里，而不是答案对不对：常和某人一起出现的背景也可能很亮。
why-busy = 现在还有别的图片要看，请稍后再问。
telegram-why-looking = 正在再看一遍，需要几秒钟。
telegram-why-private = 几秒钟后，答案会出现在我们的私聊里。
telegram-why-start = 这个我只能在私聊里展示：请打开与我的私聊，按“开始”，再回到这里按“为什么？”。
why-erased = 那张图片我已经没有了，所以没法再看一遍。
web-why-picture = 你的图片：判断的依据是亮的，其余是暗的。
web-why-nearest = 这里有人指认过的最接近的图片，并排显示。

## 管理员的重新训练：聊天与控制台

discord-retrain-name = retrain
discord-retrain-about = 让模型从已批准的内容中学习（管理员）
telegram-about-retrain = 让模型从已批准的内容中学习，仅限管理员
retrain-look = 进行到哪儿了？
retrain-cancel = 取消
retrain-use = 启用
retrain-drop = 不启用
retrain-changed = 那是另一次重新训练，因此什么都没有做：现在的情况如下。
retrain-worse = 有 { $count } 张图片现用模型答对，新模型却答错。
console-page-training = 训练
console-training-lead = 重新训练会从所有已批准且可以导出的内容中学习，并将新模型与现用模型比较。在此期间机器人照常作答。
console-training-serves = 现用模型：{ $bundle }
console-training-start = 重新训练
console-training-begun = 开始于 { $at } UTC
console-training-compared = 比较结果

## 教一个角色

error-teach-none = 请附上 1 到 { $limit } 张图片。
error-teach-many = 这里有 { $count } 张图片，我一次最多收 { $limit } 张。
error-teach-command = “{ $name }”对我另有意思，请给出角色自己的名字。
error-teach-gone = 那些图片已经不在我这里了，请重新教一次。
error-teach-others = 只有教这些图片的人才能说它们没错。
error-teach-rejected = 管理员已把第 { $number } 张图放在一边，所以什么也没有教。
error-teach-said = 你说过第 { $number } 张图里是{ $name }，所以什么也没有教：请先在 /mycorrections 里撤回。
error-teach-said-nobody = 你说过第 { $number } 张图里不是名单上的人，所以什么也没有教：请先在 /mycorrections 里撤回。
error-teach-taken = 管理员已决定第 { $number } 张图里是{ $name }，所以什么也没有教。他们可以在控制台重新决定。
error-teach-taken-nobody = 管理员已决定第 { $number } 张图里不是名单上的人，所以什么也没有教。他们可以在控制台重新决定。
teach-learned = 学会了：{ $name }。从现在起有 { $count } 张图片作为例子。
teach-more = 从现在起又多了 { $count } 张图片作为例子：{ $name }。
teach-again = 没有新的：我已经有这些图片了，都是{ $name }。
teach-proposed = 谢谢，已提议：{ $name }，附 { $count } 张图片。
teach-proposed-more = 谢谢，已提议 { $count } 张图片：{ $name }。
teach-waits = 管理员看过之后才算数。
teach-waits-operator = 运行我的人看过之后才算数。
teach-left-out = 第 { $number } 张图没有收。{ $why }
teach-only-same-discord = 这里不能从 Discord 的内容中学习（discord.allow_training 未开启），所以我只会再认出这几张图，认不出与它们相似的图。
teach-only-same-never = 你选择了不让我从你的图片中学习（/privacy），所以我只会再认出这几张图，认不出与它们相似的图。
teach-only-same-others = 这些是别人的图片：在发图的人同意之前，我只会再认出这几张图，认不出与它们相似的图。
teach-notice = 我只学虚构角色，请不要教真实的人。
teach-doubted = 还没有作为{ $name }来学：
teach-doubt = 第 { $number } 张图里是{ $name }，我很确定
teach-doubt-nobody = 第 { $number } 张图里没有我认识的角色
teach-insist-hint = 如果这些图确实没错，请告诉我。
teach-insist-moderator = 如果这些图确实没错，可以请管理员来教。
teach-insist = 没错，就是
console-teach-title = 教一个角色
console-teach-link = 用图片来教……
console-teach-heading = 名字和图片
console-teach-lead = 1 到 { $limit } 张图片，每张里都有这个角色。已有的名字会得到更多例子。
console-teach-pictures = 图片
console-teach-do = 教
discord-teach-name = teach
discord-teach-about = 用最多 10 张图片教我一个虚构角色；请不要教真实的人
discord-teach-who = 角色的名字
discord-teach-picture = 一张有这个角色的图片
discord-teach-more = 再来一张
telegram-about-teach = 教我一个虚构角色：名字和图片
telegram-teach-how = 请在 1 到 { $limit } 张图片下面写上 /teach 和角色的名字；也可以先单独发这一行，我再问你要图片。
telegram-teach-send = 请用 1 到 { $limit } 张图片回复这条消息，每张里都要有{ $name }。
telegram-teach-album = 在这里我只能看到相册的第一张图，所以还什么也没有教。
error-label-shipped = 这个角色我从一开始就认识，所以不能移除。
cast-remove = 移除
cast-remove-ask = 要让{ $name }从此不再是这里的角色吗？相关的图片会重新等待审核。
cast-removed = 已移除：{ $name }。
discord-characters-remove-name = remove
discord-characters-remove-about = 让某个角色不再是这里的角色；会先询问
console-did-remove = 移除了角色
console-remove-sure = 相关的图片会重新等待审核

## 大家说过的话，立刻算数

memory-here = 这里的人说是{ $names }。
memory-here-nobody = 这里的人说不在名单上。
memory-elsewhere = 有人说是{ $names }。
memory-elsewhere-nobody = 有人说不在名单上。
memory-like = 这参考了大家给相似图片的说法：{ $names }。
memory-like-nobody = 这参考了相似的图片：大家说它们不在名单上。
memory-comma = 、
memory-and = { $names }和{ $last }
memory-about = 回答时还参考了大家说过的话（记忆版本 { $memory }）。
web-bundle-memory = 由 { $bundle } 和记忆 { $memory } 回答，用时 { $milliseconds } 毫秒。

## 测量这台机器

bench-under-way = 正在测量
bench-machine = { $bundle }，{ $cpu }，{ $cores } 个核心
bench-busy = 这台机器正被其他程序占用（负载 { $load }）：单独运行会更快。
bench-decoding = 解码：120 万像素的图片 { $usual } 毫秒，1200 万像素的 { $large } 毫秒
bench-chosen = 这里选用：{ $level }（{ $backend }，线程：{ $threads }）
bench-without = 这个模型没有的级别：{ $levels }
bench-level = 级别（后端，线程）
bench-alone = 从图片到回答
bench-alone-late = 100 次中有 95 次不超过
bench-rate = 每秒，{ $posters } 人同时发图
bench-together-late = 100 次中有 95 次不超过
bench-not-written = 无法写入 { $file }：{ $why }
