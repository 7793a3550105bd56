"""Discord on loopback: REST, gateway and CDN of the suite's own, so that a real bot can be driven end to end.

    async with DiscordStandin(message_content=True) as discord:
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        ...  # start a bot with discord.api_base, discord.gateway_url and discord.token
        await discord.wait_ready()
        posted = await ann.post(channel, files=[("thor.png", png)])
        reply = await discord.wait_reply(to=posted)
        wrong = await ann.click(reply, "Wrong")
        assert (await wrong.response()).ephemeral
        assert discord.violations == []

simcord holds the world behind it (guilds, messages, interactions, permissions); ours are the sockets and the
people. Modules: `server` the stand-in, `rest`, `gateway` and `cdn` its three faces, `traffic` log, limits and
failures, `people`, `interactions` and `selecting` what persons do, `snapshots` what tests see, `world` the
state.
"""

from .cdn import Behaviour, Cut, Fail, Hang, Overlong, Redirect, Slow, Upload
from .interactions import Interaction
from .people import Channel, Guild, User
from .server import DiscordStandin
from .snapshots import MessageSnapshot, Modal, Response
from .waiting import StandinTimeout

__all__ = [
    "Behaviour",
    "Channel",
    "Cut",
    "DiscordStandin",
    "Fail",
    "Guild",
    "Hang",
    "Interaction",
    "MessageSnapshot",
    "Modal",
    "Overlong",
    "Redirect",
    "Response",
    "Slow",
    "StandinTimeout",
    "Upload",
    "User",
]
