# Every word that a user reads. One file a language; a missing key falls back to this one.
# $name and $second are names of characters, already made bold where the platform can.

## The answer

answer-sure = That is { $name }, { $percent } sure.
answer-unsure-two = Could be { $name } ({ $percent }) or { $second } ({ $second_percent }).
answer-unsure-one = Perhaps { $name } ({ $percent }), but do not count on it.
answer-nobody = Nobody I know.
answer-nobody-close = Nobody I know. { $name } would come closest ({ $percent }).
answer-already = I have answered that picture already: { $link }
answer-already-here = I have answered that picture already, just above.
answer-picture = Picture { $number }:
answer-more-pictures = { $count ->
    [one] One more picture was not looked at, { $limit } a message is all I take.
   *[other] { $count } more pictures were not looked at, { $limit } a message is all I take.
}
answer-no-picture = There is no picture in that message.
percent = { NUMBER($part, style: "percent", maximumFractionDigits: 0) }

## Buttons and forms

button-right = Right
button-wrong = Wrong
button-someone-else = Someone else…
button-nobody = Nobody on the list
button-undo = Undo
button-add = Add “{ $name }” as a new name
button-search-again = Search again
wrong-title = Who is it, then?
wrong-who = Who is it, then? Nobody else sees this.
search-title = Who is it?
search-label = Name of the character
search-placeholder = Iron Man, spidey, 钢铁侠…
search-which = Whom do you mean by “{ $text }”?
search-none = I know nobody called “{ $text }”.
tally-agree = { $count ->
    [one] One person agrees.
   *[other] { $count } people agree.
}
tally-others = { $count ->
    [one] One person says { $name }.
   *[other] { $count } people say { $name }.
}
tally-nobody = { $count ->
    [one] One person says it is nobody on the list.
   *[other] { $count } people say it is nobody on the list.
}

## Thanks

thanks-right = Thank you, noted: { $name } it is.
thanks-corrected = Thank you, noted: { $name }.
thanks-nobody = Thank you, noted: nobody on the list.
thanks-changed = Changed: you say { $name } now.
thanks-changed-nobody = Changed: you say nobody on the list now.
thanks-again = You have said so already: { $name }.
thanks-again-nobody = You have said so already: nobody on the list.
thanks-proposed = Thank you, noted: { $name }. That name is new to me, a moderator will look at it.
undone = Taken back.
undone-to = Taken back; what you said before holds again: { $name }.
undone-to-nobody = Taken back; what you said before holds again: nobody on the list.
undo-nothing = There is nothing to take back.

## What went wrong

error-empty = That file is empty.
error-not-a-picture = That is not a picture I can read: send a JPEG, PNG, WebP, GIF, AVIF or HEIC.
error-truncated = That picture breaks off in the middle: please send it again.
error-damaged = That picture is damaged: I cannot read it.
error-too-many-bytes = That file is too large: { $mebibytes } MB is all I take.
error-too-many-pixels = That picture has too many pixels: { $megapixels } million is all I take.
error-too-slow = That picture took too long to read, so I gave up on it.
error-busy = Many pictures are waiting right now: please try again in { $seconds ->
    [one] a second
   *[other] { $seconds } seconds
}.
error-too-late = That took too long: please try again in a moment.
error-worker-gone = I cannot look at pictures right now: please try again in a minute.
error-trouble = Something went wrong on my side: please try again in a minute.
error-setting = That cannot be chosen, so everything stays as it was.
error-stopping = I am being stopped right now: please ask again in a minute.
error-link-refused = I do not fetch pictures from that address.
error-link-gone = I could not get that picture: it is gone, or the address is wrong.
error-link-slow = I could not get that picture in time: please try again.
error-person-limit = That is a lot of pictures: please go on in { $seconds ->
    [one] a second
   *[other] { $seconds } seconds
}.
error-community-limit = This place asks about a lot of pictures: please go on in { $seconds ->
    [one] a second
   *[other] { $seconds } seconds
}.
error-prediction-gone = That picture is not here any more, so nothing was noted.
error-not-yours = That answer belongs to another place, so nothing was noted.
error-label-empty = Please write a name.
error-label-too-long = That name is too long.
error-label-control = That name has characters in it that cannot be shown.
error-label-mention = A name cannot call people: leave out the @.
error-label-markup = A name cannot hold links, slashes or brackets.
error-label-no-letters = A name needs letters.
error-label-too-many = That is more characters than one picture can hold.
error-label-refused = Moderators have refused that name.
error-proposals = You have added many new names today: please go on tomorrow.
error-nothing-here = There is no answer of mine here that could be corrected.
error-old-button = I do not know that button any more.
error-ledger = I could not write that down, so please tell me again in a minute.

## Discord

discord-whois-name = whois
discord-whois-about = Who is in this picture?
discord-whois-picture = The picture to look at
discord-whois-menu = Who is this?
discord-correct-name = correct
discord-correct-about = Say who is in the picture that I answered last in this channel
discord-correct-who = Name of the character
discord-help-name = help
discord-help-about = What I do and how to ask
discord-help = I say which Marvel film character is in a picture.
    • Ask with /whois, by a right click on a message → Apps → “{ discord-whois-menu }”, by mentioning me beside a picture or in a reply to one, by the reaction 🔎, or in a direct message.
    • Press Right or Wrong below an answer; Wrong lets you say who it is. Nobody is pinged, and you can change your mind: /undo, /mycorrections.
    • /teach shows me a character that I do not know yet: a name and some pictures.
    • /privacy and /forgetme are about your own pictures, /about says more about me.
    • /setup is for those who manage a server; /review, /stats, /characters, /export and /console for its moderators.
    I name fictional characters only, never private people.
discord-undo-name = undo
discord-undo-about = Take back what you said last
discord-mine-name = mycorrections
discord-mine-about = What you have said about pictures so far; only you see it
discord-mine-title = What you have said, the latest first. Only you see this.
discord-mine-none = You have not said anything about a picture yet.
discord-mine-entry = { $number }. You said { $name }, I had said { $second } · { $when }
discord-mine-picture = the picture
discord-mine-newest = Newest
discord-mine-older = Older
discord-about-name = about
discord-about-about = What I am, whom I know and where the pictures go
discord-about = I am whosthat { $version }. I know { $count ->
    [one] one character
   *[other] { $count } characters
} of the Marvel films. I name fictional characters only and I am not a face recogniser.
discord-about-model = The last answer in this channel came from the model { $bundle }.
discord-about-pictures = Pictures are looked at by this program alone and kept for { $hours ->
    [one] one hour
   *[other] { $hours } hours
}; longer only when somebody says who is in them. What is learned from is yours to decide: /privacy. To be forgotten: /forgetme.
discord-hidden = Discord does not show me that message. Right-click it → Apps → “{ discord-whois-menu }”, or post the picture again and mention me: then I see it.
discord-reply-gone = The message that you reply to is gone.
discord-no-history = I may not read older messages here: somebody who manages this server would have to allow me “Read Message History”.
discord-setup-name = setup
discord-setup-about = How I behave in this server, for those who manage it
discord-setup-server = Settings are for servers: in direct messages I answer every picture.
discord-setup-not-yours = Only those who may manage this server can change how I behave in it.
discord-setup-title = **How I behave in this server.** Only you see this; what you choose holds at once.
discord-setup-watched = • Every picture is answered in: { $channels } ({ $origin })
discord-setup-roles = • Moderators of corrections: { $roles }
discord-setup-language = • Language of my answers to posts: { $language } ({ $origin }). Commands and buttons speak the language of whoever uses them.
discord-setup-strangers = • Pictures of nobody I know: { $what } ({ $origin })
discord-setup-limit = • Pictures that a person may ask about in a minute: { $count } ({ $origin })
discord-setup-every = every channel
discord-setup-none = no channel
discord-setup-nobody = nobody yet
discord-setup-here = chosen here
discord-setup-operator = as the operator set it
discord-setup-default = as long as nobody chooses
discord-setup-quiet = I keep quiet about them
discord-setup-chatty = I say so
discord-setup-language-own = English
discord-setup-language-en = English
discord-setup-language-zh = Chinese (中文)
discord-setup-channels = Answer every picture in these channels
discord-setup-every-button = Every channel
discord-setup-none-button = No channel
discord-setup-operator-button = As the operator set it
discord-setup-quiet-button = Quiet
discord-setup-chatty-button = Chatty
discord-setup-choose-roles = Roles that moderate corrections
discord-setup-own-language = Not chosen: English
discord-setup-operator-limit = As the operator set it: { $count } pictures a minute
discord-setup-a-minute = { $count ->
    [one] One picture a minute
   *[other] { $count } pictures a minute
}
discord-setup-no-content = ⚠ Discord does not show me messages that do not mention me: the bot's operator has to switch on the message-content intent first.
discord-setup-no-permission = ⚠ I am not allowed to read or write in { $channels }: give me View Channel, Send Messages and Read Message History there.

## Telegram

telegram-about-whois = Who is in this picture? As its caption, or as a reply to it
telegram-about-undo = Take back what you said last
telegram-about-mycorrections = What you have said about pictures so far
telegram-about-help = What I do and how to ask
telegram-about-about = What I am and whom I know
telegram-about-setup = How I behave in this group, for its admins
telegram-help = I say which Marvel film character is in a picture.
    • Send me one: a photo, a file, a sticker, a GIF, a video or an album.
    • In a group, write /whois{ $bot } as the caption of a picture or as a reply to one, or reply to me with a picture.
    • Press Right or Wrong below an answer; Wrong lets you say who it is, and you can change your mind: /undo, /mycorrections.
    • Type { $bot } and a name anywhere to look up a character. /teach and a name below some pictures shows me one that I do not know yet.
    • You decide what I may learn from your pictures: /privacy; to have everything of yours removed: /forgetme.
    I name fictional characters only, never private people. Pictures are kept for a short time only, longer when somebody says who is in them.
telegram-help-group = I say which Marvel film character is in a picture.
    • Write /whois{ $bot } as the caption of a picture or as a reply to one, or reply to me with a picture.
    • Press Right or Wrong below an answer; Wrong lets you say who it is. Everybody's click is a vote of their own.
    • Write /teach{ $bot } and a name below some pictures to show me a character that I do not know yet.
    • Admins can have every picture answered: /setup{ $bot }, and look through what people said: /review{ $bot }
    I name fictional characters only, never private people.
telegram-about = I am whosthat { $version }. I know { $characters ->
    [one] one character
   *[other] { $characters } characters
} of the Marvel films. I name fictional characters only and I am not a face recogniser.
telegram-all-names = All names
telegram-back = ‹ Back
telegram-who = Who is it? Reply to this message with the name.
telegram-mine = What you have said, the latest first:
telegram-mine-none = You have not said anything about a picture yet.
telegram-mine-line = { $day }: you said { $name }, I had said { $said }.
mine-nobody = nobody on the list
telegram-mine-link = the picture
telegram-mine-more = Older
telegram-mine-private = I tell you that when we are alone: { $link }
telegram-setup = How shall I behave here? Only admins of this group can choose, and it holds at once.
telegram-setup-privacy = ⚠ Telegram shows me only what is meant for me. To see every picture I have to be an admin here, or the bot's owner switches privacy mode off (@BotFather, /setprivacy) and adds me again.
telegram-setup-refused = Only admins of this group can choose how I behave here.
telegram-setup-elsewhere = Settings are for groups and channels: here I answer every picture anyway.
telegram-setup-noted = Noted.
telegram-setup-all = Every picture
telegram-setup-asked = Only when asked
telegram-setup-quiet = Quiet about strangers
telegram-setup-chatty = Say so too
telegram-setup-own = Everybody's own
telegram-setup-minute = { $count } a minute
telegram-setup-any = No limit here
telegram-language-en = English
telegram-language-zh = Chinese (中文)

## The page

web-title = Who is that?
web-lead = Drop a picture: I say which Marvel film character is in it.
web-drop = Drop a picture here, paste one, or
web-choose = choose a file
web-privacy = Pictures are looked at by this program alone and kept for { $hours } hours unless you say something about them.
web-looking = Looking…
web-your-picture = The picture you asked about
web-runners-up = What else it could be
web-suggestions = Characters
web-note = I name fictional characters only. I am not a face recogniser, and I am often wrong about pictures from outside the films.
web-bundle = Answered by { $bundle } in { $milliseconds } ms.
web-forbidden = That request came from another page, so it was refused.
web-not-found = There is nothing at this address.
web-one-picture = Please send one picture.
web-offline = I cannot be reached: is the program still running?
web-ask = Ask
web-look-up = Look up
web-wrong-way = This address does not take that kind of request.
web-bad-request = I could not make sense of that request.

## The terminal

run-worker = Model: { $bundle } ({ $level }, { $backend }, threads: { $threads }), ready in { $seconds } s
run-preparing = Preparing the embedded model
run-worker-waiting = Model: waiting for the worker at { $url } (worker.url)
run-worker-elsewhere = Model: { $bundle } at { $url }
run-web = Page: { $url }
run-web-off = Page: off (web.enabled)
run-web-taken = The page cannot use port { $port }, another program does: set web.port to another one (0: any).
run-web-not-allowed = The page may not use port { $port }: set web.port to one above 1023.
run-web-no-address = The page cannot listen on { $host }, which is no address of this machine: check web.host.
run-metrics-no-address = The metrics cannot be served on { $host }, port { $port } ({ $why }): check metrics.host and metrics.port.
run-discord-off = Discord: off, set DISCORD_TOKEN in .env
run-discord-connecting = Discord: connecting
run-discord-on = Discord: on as { $bot }, in { $servers ->
    [one] one server
   *[other] { $servers } servers
}
run-discord-watching = Discord: answering every picture in { $channels }
run-discord-all = Discord: answering every picture in every channel it can read
run-discord-asked = Discord: answering when asked (mention, direct message, /whois, “Who is this?”); no channel is watched (discord.auto_channels)
run-discord-no-content = Discord: without the message-content intent, so only mentions, direct messages and commands are answered; watched channels need the intent (Developer Portal → Bot → Message Content Intent, and discord.message_content)
run-discord-refused = Discord: off, the token was refused; make a new one in the Developer Portal (Bot → Reset Token) and set DISCORD_TOKEN in .env
run-discord-failed = Discord: off, { $why }
run-telegram-off = Telegram: off, set TELEGRAM_TOKEN in .env
run-telegram-connecting = Telegram: connecting
run-telegram-on = Telegram: on as { $bot }
run-telegram-privacy = Telegram: privacy mode is on, so in groups only /whois, replies and what else is meant for the bot are seen, except where it is an admin (@BotFather, /setprivacy)
run-telegram-webhook = Telegram: updates come to { $url }
run-telegram-conflict = Telegram: another program takes updates with the same token; stop that one, this one keeps trying
run-telegram-refused = Telegram: off, the token was refused; ask @BotFather for another one (/token) and set TELEGRAM_TOKEN in .env
run-telegram-failed = Telegram: off, { $why }
run-ready = Ready in { $seconds } s. Stop with Ctrl-C.
run-stopping = Stopping: what is being answered is finished first.
run-again = A backup is being put back: starting again.
run-stopped = Stopped.

## The operator

backup-under-way = Saving
backup-done = Saved in { $file }: { $pictures ->
    [one] one picture
   *[other] { $pictures } pictures
}, { $votes ->
    [one] one correction
   *[other] { $votes } corrections
}, { $mebibytes } MiB. The file holds person.key: keep it as safe as the bot itself.
backup-gone = { $count ->
    [one] One picture was let go meanwhile and is not in it.
   *[other] { $count } pictures were let go meanwhile and are not in it.
}
backup-damaged = { $count ->
    [one] One picture is damaged on the disk and was left out.
   *[other] { $count } pictures are damaged on the disk and were left out.
}
restore-under-way = Putting back
restore-done = Put back, as it was on { $made }: { $pictures ->
    [one] one picture
   *[other] { $pictures } pictures
}, { $votes ->
    [one] one correction
   *[other] { $votes } corrections
}.
restore-upgraded = The tables were brought from { $old } to { $new }.
restore-kept = What was there before is in { $folder }; delete it when you do not need it any more.
db-under-way = Working
db-nothing = nothing
db-is-current = The tables are at { $revision }, which is what this version needs.
db-is-older = The tables are at { $revision }, this version needs { $head }: run whosthat db upgrade.
db-kept = The old file is kept as { $file }.
db-upgraded = The tables were brought from { $old } to { $new }.
db-copying = Copying
db-copied-table = { $table }: { $rows ->
    [one] one row
   *[other] { $rows } rows
}, { $sum }
db-copied = Copied { $rows } rows of { $tables } tables; counts and checksums are the same on both sides.
db-copied-next = Pictures and person.key stay in { $folder }. Set database.url to the new address and start the bot; on another machine it needs that folder too.
doctor-secret = [secret]
doctor-and = { ", " }
doctor-settings-ok = Settings: { $file } is read.
doctor-settings-none = Settings: there is no config.toml here, so every default holds.
doctor-settings-bad = Settings: { $why }
doctor-folder-ok = Folder: { $folder } can be written to, and its secrets are the operator's alone.
doctor-folder-new = Folder: { $folder } will be made at the first start.
doctor-folder-bad = Folder: { $folder } cannot be written to ({ $why }): let the user that runs the bot own it, or set data_dir.
doctor-folder-open = Folder: others on this machine may read { $file }: run chmod 600 on it.
doctor-disk-ok = Disk: { $free } GiB are free, kept pictures may take { $more } more (retention.disk_gibibytes).
doctor-disk-bad = Disk: only { $free } GiB are free, and kept pictures may take { $more } more: make room, or lower retention.disk_gibibytes.
doctor-database-ok = Database: { $place } is whole and can be written to, revision { $revision }.
doctor-database-new = Database: { $place } will be made at the first start.
doctor-database-older = Database: { $place } has revision { $revision }, this version needs { $head }: run whosthat db upgrade.
doctor-database-bad = Database: { $why }; mend it, or put a backup back with whosthat restore.
doctor-key-ok = Key: person.key is the one of the ledger.
doctor-key-new = Key: it is checked when there is a ledger.
doctor-key-bad = Key: { $why }.
doctor-worker-ok = Worker: { $url } answers, with { $bundle }.
doctor-worker-bad = Worker: { $why }.
doctor-worker-mixed = Worker: not all look with the same model ({ $models }): that is fine while you change it from one to the next; else say whosthat models use on each of their machines.
doctor-model-ok = Model: { $bundle } answered a picture in { $milliseconds } ms.
doctor-model-bad = Model: { $why }; check model.use ({ $use }), or set it to "builtin".
doctor-model-elsewhere = Model: no worker in worker.url answered a picture: { $why }.
doctor-clock-ok = Clock: { $seconds ->
    [one] a second
   *[other] { $seconds } seconds
} from that of { $host }.
doctor-clock-bad = Clock: { $seconds } seconds from that of { $host }: let the system keep the time (timedatectl set-ntp true).
doctor-clock-none = Clock: no platform to compare with.
doctor-clock-silent = Clock: { $host } does not say what time it is.
doctor-clock-unknown = Clock: { $host } could not be asked ({ $why }).
doctor-why-slow = no answer in time
doctor-why-name = its name is not known here
doctor-why-tls = its certificate is not trusted
doctor-why-status = status { $status }
doctor-discord-none = Discord: off, DISCORD_TOKEN is not set.
doctor-discord-ok = Discord: the token is that of { $bot }.
doctor-discord-refused = Discord: the token was refused: make a new one in the Developer Portal (Bot → Reset Token) and set DISCORD_TOKEN in .env.
doctor-discord-away = Discord: it cannot be reached ({ $why }): check the network and discord.api_base.
doctor-discord-content-ok = Discord: the message-content intent is on.
doctor-discord-content-off = Discord: the message-content intent is not asked for (discord.message_content), so only mentions, direct messages and commands are answered.
doctor-discord-content-bad = Discord: the message-content intent is off: switch it on (Developer Portal → Bot → Message Content Intent), or set discord.message_content to false.
doctor-discord-channels-none = Discord: no channel is watched.
doctor-discord-channels-ok = Discord: { $count ->
    [one] one watched channel gives
   *[other] { $count } watched channels give
} every permission that is needed.
doctor-discord-channel-bad = Discord: in { $channel } this is missing: { $permissions }; give it to the bot's role there, or stop watching that channel.
doctor-discord-channel-gone = Discord: there is no channel { $channel } any more: take it out of discord.auto_channels or /setup.
doctor-discord-channels-more = Discord: { $count ->
    [one] one more channel has
   *[other] { $count } more channels have
} such trouble; the channel's settings → Permissions show it.
doctor-discord-threads = Discord: { $count ->
    [one] one watched channel does
   *[other] { $count } watched channels do
} not let the bot answer in threads; there are none now, and Send Messages in Threads would help when there are.
doctor-permission-view = View Channel
doctor-permission-send = Send Messages
doctor-permission-threads = Send Messages in Threads
doctor-permission-history = Read Message History
doctor-telegram-none = Telegram: off, TELEGRAM_TOKEN is not set.
doctor-telegram-ok = Telegram: the token is that of { $bot }.
doctor-telegram-refused = Telegram: the token was refused: ask BotFather for another (/token) and set TELEGRAM_TOKEN in .env.
doctor-telegram-away = Telegram: it cannot be reached ({ $why }): check the network and telegram.api_base.
doctor-telegram-privacy-off = Telegram: privacy mode is off, so groups may have all their pictures answered.
doctor-telegram-privacy-on = Telegram: privacy mode is on, so in groups only mentions, replies and commands reach the bot; BotFather changes that (/setprivacy).
doctor-telegram-privacy-admin = Telegram: privacy mode is on, but the bot is an admin of { $count ->
    [one] the one group that wants
   *[other] the { $count } groups that want
} every picture answered, and admins see everything.
doctor-telegram-privacy-bad = Telegram: { $count ->
    [one] one group wants
   *[other] { $count } groups want
} every picture answered, but privacy mode is on: switch it off (BotFather → /setprivacy → Disable), then take the bot out of the group and add it again, or make it an admin there.
doctor-telegram-mute = Telegram: { $count ->
    [one] one group wants
   *[other] { $count } groups want
} every picture answered, but the bot may not write there: let an admin of the group lift that (Permissions → Exceptions, or Post Messages in a channel).
doctor-telegram-gone = Telegram: the bot is no longer in { $count ->
    [one] one group that wants
   *[other] { $count } groups that want
} every picture answered.
doctor-telegram-polling = Telegram: it is polled, and no webhook is in the way.
doctor-telegram-webhook-ok = Telegram: the webhook at { $host } is set and works.
doctor-telegram-webhook-was = Telegram: the webhook at { $host } is set; it last failed { $count ->
    [one] an hour
   *[other] { $count } hours
} ago ({ $why }).
doctor-telegram-webhook-left = Telegram: a webhook at { $host } is set, but telegram.mode is "polling": stop whatever set it, or set telegram.mode to "webhook".
doctor-telegram-webhook-none = Telegram: telegram.mode is "webhook", but none is set: start the bot, which sets it, or set telegram.mode to "polling".
doctor-telegram-webhook-other = Telegram: the webhook is at { $host }, not at { $wanted } as telegram.webhook_url says: start the bot, which sets it.
doctor-telegram-webhook-trouble = Telegram: the webhook at { $host } fails ({ $why }): check the proxy before the bot and telegram.webhook_url.

## Consent and privacy, on every platform

button-learn = May I learn from this?
button-learn-these = May I learn from these?
learn-thanks = Thank you! I may learn from this picture and from those that you post from now on. You can take that back at any time: /privacy
learn-again = You have said so already, thank you. You can take it back at any time: /privacy
privacy-title = May I learn from your pictures? Moderators look at each picture first, and what you choose holds at once. Only you see this.
privacy-now = What holds now: { $standing }
privacy-chosen = Noted. From now on this holds: { $standing }
privacy-ask = only pictures that you agreed to one by one
privacy-from-now = pictures that you post from now on, and those that you agreed to
privacy-all = all your pictures, earlier ones too
privacy-never = none of your pictures
privacy-button-ask = Ask me each time
privacy-button-from-now = From now on
privacy-button-all = All of them
privacy-button-never = None of them
privacy-forget = To have everything of yours removed: /forgetme
forget-ask = This removes your pictures, everything that you said about pictures, the addresses of my answers to you, and what I know you by. It cannot be undone. Exports that moderators made before keep a list of what they have to drop.
forget-button = Yes, forget me
forget-done = Done, you are forgotten: { $pictures ->
    [0] there were no pictures of yours
    [one] one picture was removed
   *[other] { $pictures } pictures were removed
}, and { $votes ->
    [0] nothing that you had said
    [one] one thing that you had said
   *[other] { $votes } things that you had said
}. If you post again, we begin anew.

## Review in chat

review-case = Case { $number }
review-progress = { $open } open, { $agreed } of them agreed · { $approved } approved · { $rejected } rejected · by you today: { $mine }
review-said = I said: { $answer }
review-unseen = I have said nothing about this picture.
review-opinion = { $count ->
    [one] one person says { $name }
   *[other] { $count } people say { $name }
}
review-people = People: { $opinions }.
review-people-none = Nobody has said anything about it yet.
review-agreement = By what people say it is { $name } with { $percent }.
review-agreed = Enough people agree: { $name }, { $percent }.
review-why-disagreement = Shown because people disagree.
review-why-margin = Shown because I was close to another answer.
review-why-rare = Shown because there are few pictures of that character.
review-why-suspected = Shown because people contradict what I was sure of.
review-why-few = Shown because few people have said anything yet.
review-why-agreed = Shown because many people agree: one look is enough.
review-copies = { $count } copies of this picture are decided together.
review-no-consent = Its poster has not agreed that it is learned from, so it will not be exported.
review-gone = The picture itself is not kept any more.
review-too-large = The picture is too large to be shown here.
review-alt = The picture of case { $number }
review-and = { ", " }
review-approve = Approve: { $name }
review-nobody = Nobody
review-reject = Reject
review-skip = Skip
review-is = It is…
review-search = Search…
review-approved = Approved: { $name }.
review-rejected = Rejected: that picture will not be used.
review-skipped = Skipped; it comes again later.
review-undone = Taken back; here it is again.
review-undo-nothing = There is nothing of yours to take back.
review-changed = This case has changed meanwhile: please look again.
review-stale = That one is decided already, so nothing was changed.
review-done = Nothing is left to review. Thank you!
review-done-taken = Other moderators are looking at what is left. Thank you!

stats-title = Corrections in this place
stats-accuracy = I was right about { $right } of { $judged } decided pictures ({ $percent }).
stats-accuracy-none = No picture is decided yet, so I cannot say how often I am right.
stats-character = { $name }: { $approved } approved, { $open } open
stats-character-judged = { $name }: { $approved } approved, { $open } open, I was right about { $right } of { $judged }
stats-more = { $count ->
    [one] One more character has few pictures.
   *[other] { $count } more characters have few pictures.
}
stats-none = No character has a picture yet.

## Moderators and privacy on Discord

discord-privacy-name = privacy
discord-privacy-about = Whether I may learn from your pictures; only you see it
discord-forget-name = forgetme
discord-forget-about = Remove your pictures and everything that you said; asks first
discord-review-name = review
discord-review-about = Look through what people said, one picture at a time (moderators)
discord-review-server = That is for servers: in direct messages there is nothing to moderate.
discord-stats-name = stats
discord-stats-about = How far the review is, and how often I am right (moderators)
discord-console-name = console
discord-console-about = A link to the review in the browser (moderators)
discord-console = The moderators' page, for you alone: { $link }
    The link works once, for { $minutes ->
    [one] one minute
   *[other] { $minutes } minutes
}. Do not pass it on.
discord-export-name = export
discord-export-about = The approved pictures as a folder to train with (moderators)
discord-export-character = Only this character
discord-export-since = Only what was decided since that day, such as 2025-01-31
discord-export-no-day = Please write the day like this: 2025-01-31
discord-characters-name = characters
discord-characters-about = Whom people can name here (moderators)
discord-characters-which = Name of the character
discord-characters-into = The character that it counts as from now on
discord-characters-list-name = list
discord-characters-list-about = Proposed names and those that are known
discord-characters-add-name = add
discord-characters-add-about = Add a character
discord-characters-accept-name = accept
discord-characters-accept-about = Take up a name that somebody proposed
discord-characters-refuse-name = refuse
discord-characters-refuse-about = Turn down a name that somebody proposed
discord-characters-rename-name = rename
discord-characters-rename-about = Change a name
discord-characters-merge-name = merge
discord-characters-merge-about = Let one character count as another; asks first

## Keeping the list of characters, in chat

cast-title = { $count ->
    [one] One character is known here, none is waiting.
   *[other] { $count } characters are known here, no proposed name is waiting.
}
cast-proposed = { $count ->
    [one] One proposed name is waiting for you:
   *[other] { $count } proposed names are waiting for you:
}
cast-line-proposed = { $name } (proposed): { $approved } approved, { $open } open
cast-choose = Look at one that can be changed here…
cast-accept = Accept
cast-refuse = Refuse
cast-rename = Rename…
cast-merge = Merge…
cast-back = The list
cast-english = Its English name
cast-chinese = Its Chinese name
cast-rename-title = What is it called?
cast-merge-title = Whom does it count as?
cast-accepted = Accepted: { $name } is one of the characters here now.
cast-refused = Refused: { $name }. It cannot be proposed again.
cast-renamed = Renamed: { $name }.
cast-added = Added: { $name }.
cast-merge-ask = Shall everything that people said of { $name } count for { $second } from now on? Old names still find it.
cast-merge-yes = Yes, it is { $name }
cast-merge-same = That is the same character.
cast-merged = Merged: { $name } counts as { $second } from now on.
cast-unknown = There is no such character here.

## Consent and being forgotten: what is refused, and what stands on the page and in the terminal

error-not-poster = Only whoever posted the picture can answer that.
error-forgotten = Whoever posted this picture has asked me to forget it, so I do not look at it again.
training-discord-off = Discord training is off (discord.allow_training): pictures from Discord are neither learned from nor exported, because Discord's developer policy lets nobody train a model on what people post there without its express permission. { $policy }
training-discord-on = Discord training is on (discord.allow_training): pictures from Discord are learned from once a moderator approves and their poster agrees. Whoever runs this bot answers for the express permission that Discord's developer policy asks for. { $policy }
web-privacy-link = What I learn from, and how to be forgotten
web-privacy-title = Your pictures
web-privacy-who = This page knows you by a cookie alone: what you choose here holds for this browser.
web-privacy-back = Back to the page
web-forget-title = Forget me
sweep-under-way = Sweeping
sweep-done = { $count ->
    [0] No picture is past its time.
    [one] One picture was let go ({ $mebibytes } MiB).
   *[other] { $count } pictures were let go ({ $mebibytes } MiB).
}

## Moderators and privacy on Telegram

telegram-about-privacy = What I may learn from your pictures
telegram-about-forgetme = Have everything of yours removed; asks first
telegram-about-review = Look through what people said, for admins
telegram-about-stats = How far the review is, for admins
telegram-about-characters = Names that people proposed, for admins
telegram-about-export = The approved pictures to train with, for admins
telegram-about-console = The review in a browser, for admins
telegram-alone = Let us do that where we are alone:
telegram-alone-button = Go on there
telegram-which-group = Which group?
telegram-no-group = Which group do you mean? Write { $command } in the group, and press the button below my answer. Only its admins can.
telegram-cast-add = Add…
telegram-cast-name = What is it called? Reply to this message with the name; for a Chinese one too, put a slash between: Loki / 洛基
telegram-console = The moderators' page, for you alone: { $link }
    The link works once, for { $minutes ->
        [one] one minute
       *[other] { $minutes } minutes
    }. Do not pass it on.

## Moderation: why not
error-stale = That picture has changed meanwhile, so nothing was decided: here is how it is now.
error-not-found = There is nothing here under that number.
error-not-moderator = Only moderators can do that here.
error-no-console = The review in the browser is not set up: the operator can set web.public_url.
error-unknown-label = Nobody is called { $label } here.
error-shared-character = All communities share that character, so only the operator can change it.
error-label-taken = Somebody is called that already.
error-label-language = Names are in English and Chinese only.
error-label-itself = That is the same character.
error-label-accepted = That name has been accepted already: it can be merged or renamed.

## The moderators' console in the browser

console-title = whosthat · review
console-to-content = To the content
console-pages = Pages
console-page-queue = Queue
console-page-agreed = Agreed
console-page-characters = Characters
console-page-exports = Exports
console-page-agreement = Agreement
console-page-history = History
console-sign-in = Sign in
console-sign-in-once = This link works once. Sign in here to look through what people have said.
console-sign-out = Sign out
console-signed-out = You are not signed in any more.
console-how = Moderators sign in with a link that works once:
console-how-chat = in chat, write /console where you are a moderator; the link opens that place alone;
console-how-terminal = on the machine that the bot runs on, type: whosthat console
console-how-long = { $minutes ->
    [one] A link works for one minute.
   *[other] A link works for { $minutes } minutes.
}
console-link-stale = That link has been used, is too old, or was never one. Please get another one.
console-offline = That could not be sent, so nothing was decided: is the program still running?
console-waiting = Getting the next picture…
console-copy = Copy { $number }
console-leads = { $name }, { $percent } sure
console-is-approved = Approved: { $name }
console-is-rejected = Rejected
console-people = { $count ->
    [0] Nobody has said anything yet
    [one] One person has said something
   *[other] { $count } people have said something
}
console-guess = What the bot said
console-guess-said = The bot said: { $name }
console-picks = The likeliest names
console-is-it = It is this one
console-progress = { $decided } of { $all } decided · { $mine } by you today
console-filter = Filter
console-filter-status = State
console-filter-reason = Shown because
console-filter-character = Character
console-filter-agreed = Agreed on
console-filter-community = Place
console-private = private
console-filter-do = Show
console-filter-none = Show everything
console-any = Any
console-yes = Yes
console-no = No
console-status-open = Open
console-status-approved = Approved
console-status-rejected = Rejected
console-status-withdrawn = Withdrawn
console-reason-disagreement = People disagree
console-reason-margin = The bot was undecided
console-reason-rare = Few pictures of the character
console-reason-suspected = People contradict a sure answer
console-reason-few = Few have said anything
console-reason-agreed = Many agree
console-blind = Hide what the bot said
console-nothing-fits = Nothing (more) fits this filter, or other moderators are looking at it.
console-look-again = Look again
console-stale = Something else has been said of it meanwhile, so nothing was decided: please look again.
console-stale-approved = Somebody was faster, so your decision was not taken: it is approved as { $name }.
console-stale-rejected = Somebody was faster, so your decision was not taken: it is rejected.
console-keys = Keys
console-keys-on = Single keys do something
console-close = Close
console-key-approve = approve what leads, and go on
console-key-pick = it is one of the likeliest names
console-key-nobody = it is nobody on the list
console-key-reject = reject: the picture is of no use
console-key-skip = skip for now
console-key-undo = undo your last decision
console-key-search = search for a name
console-key-guess = show or hide what the bot said
console-key-keys = show these keys
console-agreed-title = { $count ->
    [0] Nothing is agreed on
    [one] One picture is agreed on
   *[other] { $count } pictures are agreed on
}
console-agreed-lead = Enough people say the same of these. Take the tick off whatever looks wrong; it stays in the queue.
console-agreed-people = { $count ->
    [one] one person, { $percent }
   *[other] { $count } people, { $percent }
}
console-agreed-do = Approve what is ticked
console-agreed-all = Approve all { $count } without looking
console-agreed-none = There is nothing that enough people agree on.
console-bulk-done = { $count ->
    [0] Nothing was approved.
    [one] One picture was approved.
   *[other] { $count } pictures were approved.
}
console-bulk-late = { $count ->
    [one] One had changed meanwhile and was left alone.
   *[other] { $count } had changed meanwhile and were left alone.
}
console-proposals = { $count ->
    [one] One proposed name
   *[other] { $count } proposed names
}
console-known = { $count ->
    [one] One character
   *[other] { $count } characters
}
console-counts = { $approved } approved, { $open } open
console-name-en = English name
console-name-zh = Chinese name
console-aliases = Other names, one a line
console-accept = Accept
console-refuse = Refuse
console-same-as = It is somebody we know
console-merge-into = Is the same as
console-merge = Merge
console-change = Change
console-rename = Save names
console-add-title = Add a character
console-add = Add
console-only-here = only here
console-column-name = Character
console-column-approved = Approved
console-column-open = Open
console-accuracy = The bot was right about { $right } of { $judged } decided pictures ({ $percent }).
console-accuracy-none = No picture is decided yet, so nobody knows how often the bot is right.
console-column-right = The bot was right
console-confusion = What the bot takes for what
console-confusion-lead = A row for each character that was decided, a column for what the bot had said. Green is right.
console-agreement-lead = How much people agree with one another and with moderators. Nobody is named here.
console-agreement-people = People who voted
console-agreement-trusted = Count for more than a newcomer
console-agreement-doubted = Count for less
console-agreement-confirmed = Votes that moderators confirmed
console-agreement-cases = Agreed pictures that were confirmed
console-agreement-alpha = Krippendorff’s alpha
console-agreement-alpha-means = Alpha is 1 when all agree and 0 when they agree no more than by chance.
console-histogram = People by how often they were right
console-histogram-none = Nobody has five decided votes yet.
console-histogram-lead = How many people had which share of their votes confirmed, among those with five decided votes or more.
console-history-lead = Every decision, the latest first. People are shown by the beginning of their key; times are UTC.
console-history-when = When
console-history-who = Who
console-history-what = What
console-history-case = Case
console-history-before = Before
console-history-after = After
console-history-you = you
console-history-auto = by agreement
console-history-older = Older ones
console-history-none = Nothing has been decided yet.
console-did-approve = Approved
console-did-auto = Approved by agreement
console-did-reject = Rejected
console-did-skip = Skipped
console-did-undo = Taken back
console-did-accept = Name accepted
console-did-refuse = Name refused
console-did-rename = Renamed
console-did-merge = Merged
console-did-add = Character added
console-did-settings = Settings changed
console-did-export = Exported
console-did-import = Imported
console-export-would = { $count ->
    [0] Nothing would leave now
    [one] One picture would leave now
   *[other] { $count } pictures would leave now
}
console-export-making = Making a snapshot; this page looks again by itself.
console-export-format = Format
console-export-since = Decided since
console-export-do = Make a snapshot
console-export-lead = A snapshot holds approved pictures whose posters agree, and says where each comes from. Its file is kept for { $hours ->
    [one] one hour
   *[other] { $hours } hours
}.
console-export-made = Snapshots
console-export-snapshot = Snapshot
console-export-pictures = Pictures
console-export-held = Held back
console-export-withdrawn = Withdrawn since
console-export-file = File
console-at = { $at } UTC
console-export-drop = { $count } to drop
console-export-not-kept = not kept any more
console-export-nothing = There is nothing that may leave.
console-export-bad-day = A day is written like 2026-01-31, not “{ $text }”.
console-export-bad-format = An export is an imagefolder, csv or parquet, not “{ $text }”.
console-export-done = { $count ->
    [one] Made: { $snapshot }, with one picture.
   *[other] Made: { $snapshot }, with { $count } pictures.
}
console-download = Download
console-download-once = This link works once. The file has the approved pictures of your place, and says where each comes from.
console-link = Open this to sign in (works once, for { $minutes ->
    [one] one minute
   *[other] { $minutes } minutes
}): { $url }
console-page-off = The page is off (web.enabled), so there is no console to sign in to.
console-port-any = web.port is 0, so only the running bot knows the page's address: take the link that it prints in a terminal, or set web.port.
console-no-address = The page is not on this machine's loopback (web.host): set web.public_url, so that the link knows how to begin.
run-console-asked = Review: whosthat console prints a link to sign in with.
run-console = Review: { $url } (works once, for { $minutes ->
    [one] one minute
   *[other] { $minutes } minutes
})

# whosthat corrections export, snapshots, withdrawn, import

export-under-way = Exporting
export-done = { $count ->
    [one] One picture
   *[other] { $count } pictures
} exported to { $place } as snapshot { $snapshot }.
export-splits = train { $train }, validation { $validation }, test { $test }
export-held-consent = { $count } held back: no consent.
export-held-discord = { $count } held back: Discord training is off (discord.allow_training).
export-held-gone = { $count } held back: the pictures are not kept any more.
export-held-disputed = { $count } held back: communities decided differently.
export-held-refused = { $count } held back: the name of a character was refused since.
export-held-test = { $count } held back: near a test picture.
export-snapshot = { $snapshot }  { $at }  { $count ->
    [one] one picture
   *[other] { $count } pictures
}, { $format }, { $community }
export-snapshot-withdrawn = ({ $count } withdrawn since)
export-every-community = all communities
export-no-snapshots = Nothing has been exported yet.
corrections-bad-community = A community is written platform:id, such as discord:1234, not "{ $text }".
corrections-bad-since = A day is written like 2026-01-31, or 7d for seven days ago, not "{ $text }".
import-under-way = Importing
import-done = { $count ->
    [one] One picture
   *[other] { $count } pictures
} imported, { $there } already there.
import-not-read = { $count } could not be read: { $name }
import-differing = { $count } were decided otherwise before and stay so: { $name }
import-queued = They wait in the queue for moderators to decide.
import-no-consent = Without --consent they are not exported, and are let go after retention.unconsented_days.
import-either = Say either --approved or --queue: whether the pictures count as they are called, or are to be reviewed.
import-nothing-there = There is no folder and no file { $file }.
import-empty = There is no picture in it.
import-no-zip = { $file } is no zip file that can be read ({ $why }).
import-unreadable = { $file } cannot be read ({ $why }).
import-link = There is a link in it ({ $file }): links are not followed, copy what they lead to.
import-outside = There is a name in it that leads outside of it: { $file }
import-locked = { $file } is locked with a password: unpack it first.
import-packing = { $file } is packed in a way that is not read: pack it anew as an ordinary zip file.
import-too-deep = Folders are more than { $most } deep in it: { $file }
import-too-many = There are more than { $most } pictures in it: import it in parts.
import-parquet = { $file } is a Parquet file, which is not read: export as imagefolder or csv to import that elsewhere.
import-no-label = { $file } is in no folder that says who is in it, and no metadata.jsonl says it.
import-several = { $file } shows several characters, and no metadata.jsonl says which.
import-bad-row = Row { $number } of { $file } has no file_name, or no label, or cannot be read.
import-long-table = { $file } is too long to be a table of pictures.
import-unknown = { $count ->
    [one] One name means
   *[other] { $count } names mean
} nobody here, so nothing was imported: { $name }. Correct the name, or propose it with --propose.
import-bad-label = Nobody can be called { $name }, so nothing was imported.
import-many-labels = A picture shows more than { $most } characters, so nothing was imported.

## Exports handed over in chat

release-done = { $count ->
    [one] One picture
   *[other] { $count } pictures
} as snapshot { $name }: a folder to train with, in one zip file.
release-nothing = There is nothing that can be exported.
release-no-link = It is too large to be attached here, and the page has no address for a link: the operator can set web.public_url, or run whosthat corrections export.
release-link = It is too large to be attached here. This link works once, for { $hours ->
    [one] one hour
   *[other] { $hours } hours
}:
error-export-disk-full = The disk has no room for that export: the operator has to make some.
error-export-moved-on = People were changing what was to be exported all the while: please try again.
error-export-trouble = That export could not be written: the operator finds the reason in the log.

## Versions of the model, and retraining

models-serves = { $bundle } serves from now on.
models-noted = { $bundle } serves from the next start on; no bot is running here.
models-elsewhere = { $bundle } is noted here, but the worker at { $url } has models of its own: say the same on that machine.
models-refused = { $bundle } could not be loaded, so { $now } goes on serving: { $why }
models-refused-last = { $bundle } was chosen last and could not be loaded: { $why }
models-late = The running worker has not loaded { $bundle } within { $seconds } seconds; it goes on answering, and its log says more.
models-unknown = There is no version called { $bundle }: whosthat models list says which there are.
models-legend = * serves now, < served before
models-figures = { $percent } right ({ $part })
models-no-figures = no figures
models-gone = is not there any more
models-no-card = It has no card.
models-no-report = The gate was not asked about it.
models-report-yes = The gate said yes:
models-report-no = The gate said no:
models-pushed = { $bundle } is uploaded: { $url }
retrain-phase-idle = Nothing is being retrained.
retrain-phase-exporting = Retraining: collecting what was approved ({ $percent }).
retrain-phase-training = Retraining: learning from { $count ->
    [one] one correction
   *[other] { $count } corrections
} ({ $percent }).
retrain-phase-gating = Retraining: comparing { $bundle } with the model that serves ({ $percent }).
retrain-phase-asking = { $bundle } is better than, or as good as, { $current }. Shall it serve?
retrain-phase-swapping = Retraining: { $bundle } takes over ({ $percent }).
retrain-phase-done = { $bundle } serves now, after { $count ->
    [one] one correction
   *[other] { $count } corrections
}.
retrain-phase-refused = { $bundle } is not good enough, so { $current } goes on serving.
retrain-phase-declined = { $bundle } was declined; { $current } goes on serving.
retrain-phase-failed = The retraining ended while { $step }; the model that serves is the same as before. { $why }
retrain-phase-cancelled = The retraining was cancelled; the model that serves is the same as before.
retrain-step-exporting = collecting what was approved
retrain-step-training = learning
retrain-step-gating = comparing
retrain-step-swapping = the new model was to take over
retrain-not-allowed = Only the operator may do that, and moderators of communities in training.communities.
retrain-running = A retraining is under way already.
retrain-waiting = { $bundle } still waits for an answer: accept or decline it first.
retrain-nothing-asked = No new model waits for an answer.
retrain-nothing-runs = No retraining is under way.
retrain-trouble = That could not be done: the operator finds the reason in the log.
retrain-started = A retraining has begun; whosthat retrain --watch shows how far it is.
retrain-answer = whosthat retrain --promote lets it serve, --decline throws it away.
retrain-one-option = Give one of --watch, --status, --cancel, --promote and --decline at a time.
retrain-reason = { $sign } { $check }: { $figures }
retrain-check-characters = characters
retrain-check-overall = overall
retrain-check-per-character = each character
retrain-check-calibration = calibration
retrain-check-certainty = wrong and certain
retrain-check-strangers = strangers
retrain-check-nobody = nobody or somebody
retrain-check-speed = speed
retrain-check-corrections = recent corrections
retrain-check-corrections-per-character = each character in recent corrections
retrain-check-other = another check
gate-characters-same = both know the same { $count } characters
gate-characters-missing = it no longer knows { $names }
gate-characters-missing-allowed = it no longer knows { $names }, which is allowed
gate-characters-new = it also knows { $names }: counted overall alone, the bundle in service cannot name them
gate-new = { $name } ({ $count } pictures)
gate-overall = right { $after } instead of { $before } of { $count } pictures ({ $gained } gained, { $lost } lost); with 95 % certainty at least { $bound }
gate-overall-hidden = { $text }; but of the characters that both know more is lost than by chance (p = { $p })
gate-overall-asked = { $text }, and { $margin } is asked for
gate-overall-more = { $text }: an equally good candidate needs about { $needed } pictures to show it
gate-points = { $points } points
gate-character = { $name } { $before } → { $after } of { $count } (p = { $p })
gate-character-worse = worse on { $characters }
gate-character-none = no character of { $count } is significantly worse
gate-calibration = calibration error { $after } instead of { $before }
gate-certainty = wrong and yet certain: { $after } instead of { $before } of the pictures
gate-strangers = strangers told apart (AUROC) { $after } instead of { $before }
gate-nobody = nobody or somebody rightly said { $after } instead of { $before } of the time
gate-allowed = { $text }, at most { $margin } worse is allowed
gate-not-measured = not measured: there are no pictures of nobody
gate-speed = { $after } ms a picture instead of { $before } ms: { $ratio } times as long, at most { $margin } times is allowed
gate-corrections = right { $after } instead of { $before } of { $count } recent corrections ({ $gained } gained, { $lost } lost, p = { $p })
agrees-now = 🎓 The new model agrees with you: { $name }.
agrees-now-nobody = 🎓 The new model agrees with you: nobody I know.

## Why

button-why = Why?
why-title = Why { $name }?
why-closest = Nobody I know: { $name } came closest, and this is why.
why-other = { $said } was answered, but by itself the model says { $name } now, and this is why.
why-falls = What is bright is what that hangs on: with the brightest part covered, { $name } falls from { $percent } to { $left }.
why-holds = No single part decides that: { $name } is at { $percent }, and with the brightest part covered still at { $left }.
why-nearest = { $count ->
    [one] The nearest picture that people here named: { $names }.
   *[other] The nearest pictures that people here named, from left to right: { $names }.
}
why-nearest-none = There is no picture yet that people here named and that I may show.
why-honest = I find this by covering one place after another and looking again. It shows where the answer comes from, not whether it is right: a background that often comes with somebody can be bright, too.
why-busy = I have other pictures to look at right now: please ask again in a moment.
telegram-why-looking = Looking again: this takes a few seconds.
telegram-why-private = The answer comes in our private chat in a few seconds.
telegram-why-start = I can show that in our private chat only: open it, press Start, and then press Why? here again.
why-erased = I do not have that picture any more, so I cannot look at it again.
web-why-picture = Your picture: what the answer hangs on is bright, the rest is dark.
web-why-nearest = The nearest pictures that people here named, side by side.

## Retraining for moderators, in chat and in the console

discord-retrain-name = retrain
discord-retrain-about = Let the model learn from what was approved (moderators)
telegram-about-retrain = Let the model learn from what was approved, for admins
retrain-look = How far is it?
retrain-cancel = Cancel
retrain-use = Use it
retrain-drop = Do not use it
retrain-changed = That was about another retraining, so nothing was done: here is how it is now.
retrain-worse = { $count ->
    [one] One picture that the model in service has right is wrong with the new one.
   *[other] { $count } pictures that the model in service has right are wrong with the new one.
}
console-page-training = Training
console-training-lead = A retraining learns from everything that is approved and may leave, and compares the new model with the one in service. The bot goes on answering meanwhile.
console-training-serves = In service: { $bundle }
console-training-start = Retrain
console-training-begun = Begun { $at } UTC
console-training-compared = What was compared

## Teaching a character

error-teach-none = Please add 1 to { $limit } pictures.
error-teach-many = That is { $count } pictures: I take { $limit } at a time.
error-teach-command = “{ $name }” means something else to me: please give the character's own name.
error-teach-gone = I do not have those pictures any more: please teach them again.
error-teach-others = Only whoever taught these pictures can say that they are right.
error-teach-rejected = Moderators have set picture { $number } aside, so nothing was taught.
error-teach-said = You have said that picture { $number } shows { $name }, so nothing was taught: take that back first, in /mycorrections.
error-teach-said-nobody = You have said that picture { $number } shows nobody on the list, so nothing was taught: take that back first, in /mycorrections.
error-teach-taken = Moderators have decided that picture { $number } shows { $name }, so nothing was taught. They can decide anew in the console.
error-teach-taken-nobody = Moderators have decided that picture { $number } shows nobody on the list, so nothing was taught. They can decide anew in the console.
teach-learned = Learned: { $name }. { $count ->
    [one] One picture is an example
   *[other] { $count } pictures are examples
} from now on.
teach-more = { $count ->
    [one] One more picture is an example
   *[other] { $count } more pictures are examples
} of { $name } from now on.
teach-again = Nothing new: I have these pictures of { $name } already.
teach-proposed = Thank you, proposed: { $name }, with { $count ->
    [one] one picture
   *[other] { $count } pictures
}.
teach-proposed-more = Thank you, { $count ->
    [one] one picture is
   *[other] { $count } pictures are
} proposed as { $name }.
teach-waits = A moderator looks at that before it counts.
teach-waits-operator = Whoever runs me looks at that before it counts.
teach-left-out = Picture { $number } is left out. { $why }
teach-only-same-discord = What comes from Discord may not be learned from here (discord.allow_training is off), so I will know these very pictures again, but not others like them.
teach-only-same-never = You chose that I never learn from your pictures (/privacy), so I will know these very ones again, but not others like them.
teach-only-same-others = They are somebody else's pictures: until their poster agrees, I will know these very ones again, but not others like them.
teach-notice = I learn fictional characters only: please never teach a private person.
teach-doubted = Nothing is taught as { $name } yet:
teach-doubt = picture { $number } shows { $name }, I am sure
teach-doubt-nobody = picture { $number } shows nobody I know
teach-insist-hint = Say so if they are right all the same.
teach-insist-moderator = If they are right all the same, a moderator can teach them.
teach-insist = They are right
console-teach-title = Teach a character
console-teach-link = Teach with pictures…
console-teach-heading = A name and its pictures
console-teach-lead = 1 to { $limit } pictures, each of which shows that character. A name that is known already gets more examples.
console-teach-pictures = Pictures
console-teach-do = Teach
discord-teach-name = teach
discord-teach-about = Teach me a fictional character with up to 10 pictures; never a private person
discord-teach-who = The character's name
discord-teach-picture = A picture that shows the character
discord-teach-more = Another one
telegram-about-teach = Teach me a fictional character: name and pictures
telegram-teach-how = Write /teach and the character's name below 1 to { $limit } pictures, or alone, and I ask for the pictures.
telegram-teach-send = Reply to this message with 1 to { $limit } pictures that show { $name }.
telegram-teach-album = Of an album I see the first picture only here, so nothing is taught yet.
error-label-shipped = I know that character from the start, so it cannot be removed.
cast-remove = Remove
cast-remove-ask = Shall { $name } be no character here any more? Its pictures wait to be decided again.
cast-removed = Removed: { $name }.
discord-characters-remove-name = remove
discord-characters-remove-about = Let somebody be no character here any more; asks first
console-did-remove = Character removed
console-remove-sure = Its pictures wait to be decided again

## What people said, which counts at once

memory-here = People here say { $names }.
memory-here-nobody = People here say that this is nobody on the list.
memory-elsewhere = People say { $names }.
memory-elsewhere-nobody = People say that this is nobody on the list.
memory-like = That leans on pictures like it that people named: { $names }.
memory-like-nobody = That leans on pictures like it of which people said that they show nobody on the list.
memory-comma = { ", " }
memory-and = { $names } and { $last }
memory-about = It had my memory of what people said, version { $memory }, beside it.
web-bundle-memory = Answered by { $bundle } with memory { $memory } in { $milliseconds } ms.

## Measuring this machine

bench-under-way = Measuring
bench-machine = { $bundle } on { $cpu }, { $cores ->
    [one] one core
   *[other] { $cores } cores
}
bench-busy = Others are using this machine (load { $load }): alone it would be faster.
bench-decoding = Decoding: { $usual } ms for a picture of 1.2 megapixels, { $large } ms for one of 12
bench-chosen = Chosen here: { $level } ({ $backend }, threads: { $threads })
bench-without = Levels that this model does not have: { $levels }
bench-level = level (backend, threads)
bench-alone = picture to answer
bench-alone-late = 95 of 100 within
bench-rate = a second, { $posters } posting
bench-together-late = 95 of 100 within
bench-not-written = { $file } cannot be written: { $why }
