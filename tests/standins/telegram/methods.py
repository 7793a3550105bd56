"""The methods that write, change and delete messages."""

from __future__ import annotations

import time
from typing import Any

from .entities import parsed, trimmed
from .errors import NOT_MODIFIED, ApiError, bad_request
from .keyboards import keyboard
from .params import Params, UploadedFile
from .world import ChatState, Payload, Stored, World

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
PHOTO_LIMIT = 10 << 20
UPLOAD_LIMIT = 50 << 20
MEDIA = ("text", "entities", "link_preview_options", "photo", "document", "caption", "caption_entities")


class Messages:
    """Each method takes the call's parameters and returns its ``result``.

    Raises:
        ApiError: what Telegram would answer.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def send_message(self, params: Params) -> Payload:
        chat = self._world.for_bot(params.text("chat_id"))
        return self._send(chat, params, self._text(params))

    def send_photo(self, params: Params) -> Payload:
        chat = self._world.for_bot(params.text("chat_id"))
        photo = self._photo(params.file("photo"), params.text("photo"))
        return self._send(chat, params, {"photo": photo, **self._caption(params)})

    def send_document(self, params: Params) -> Payload:
        chat = self._world.for_bot(params.text("chat_id"))
        upload = params.file("document")
        if upload is None:
            raise bad_request("there is no document in the request")
        if not upload.data:
            raise bad_request("file must be non-empty")
        if len(upload.data) > UPLOAD_LIMIT:
            raise ApiError(413, "Request Entity Too Large")
        document = self._world.files.document(upload.data, upload.filename, None, thumbnail=None, size=None)
        return self._send(chat, params, {"document": document, **self._caption(params)})

    def send_chat_action(self, params: Params) -> bool:
        chat = self._world.for_bot(params.text("chat_id"))
        self._thread(chat, params)
        return True

    def edit_message_text(self, params: Params) -> Payload | bool:
        stored = self._own(params)
        content = self._text(params)
        if "text" not in stored.payload:
            raise bad_request("there is no text in the message to edit")
        return self._change(stored, content, ("text", "entities", "link_preview_options"), params)

    def edit_message_caption(self, params: Params) -> Payload | bool:
        stored = self._own(params)
        content = self._caption(params)
        if "text" in stored.payload:
            raise bad_request("there is no caption in the message to edit")
        return self._change(stored, content, ("caption", "caption_entities"), params)

    def edit_message_media(self, params: Params) -> Payload | bool:
        """Another photo with another caption, in the place of a text, a photo or a document."""
        stored = self._own(params)
        media = params.json("media") or {}
        if media.get("type") != "photo":
            raise bad_request("the stand-in edits photos only")
        given = Params({**media, "photo": media.get("media")}, params.files)
        content = {"photo": self._photo(given.file("photo"), given.text("photo")), **self._caption(given)}
        return self._change(stored, content, MEDIA, params)

    def edit_message_reply_markup(self, params: Params) -> Payload | bool:
        return self._change(self._own(params), {}, (), params)

    def delete_message(self, params: Params) -> bool:
        chat = self._world.visible(params.text("chat_id"))
        stored = self._world.find(chat.id, params.number("message_id") or 0)
        if stored is None:
            raise bad_request("message to delete not found")
        if not stored.by_bot and chat.kind != "private" and chat.bot != "administrator":
            raise bad_request("message can't be deleted")
        if time.time() - stored.payload["date"] > 48 * 3600:
            raise bad_request("message can't be deleted for everyone")
        stored.deleted = True
        return True

    def delete_messages(self, params: Params) -> bool:
        """Those that cannot be found are skipped."""
        chat = self._world.visible(params.text("chat_id"))
        for id_ in params.json("message_ids") or []:
            if (stored := self._world.find(chat.id, int(id_))) is not None and stored.by_bot:
                stored.deleted = True
        return True

    def set_message_reaction(self, params: Params) -> bool:
        chat = self._world.for_bot(params.text("chat_id"))
        stored = self._world.find(chat.id, params.number("message_id") or 0)
        if stored is None:
            raise bad_request("message to react not found")
        reactions = params.json("reaction") or []
        stored.reactions = tuple(r.get("emoji", r["type"]) for r in reactions)
        return True

    # -- what they share

    def _photo(self, upload: UploadedFile | None, file_id: str) -> list[Payload]:
        files = self._world.files
        if upload is not None:
            if len(upload.data) > PHOTO_LIMIT:
                raise bad_request("PHOTO_SAVE_FILE_INVALID")
            try:
                photo = files.photo(upload.data)
            except (OSError, ValueError, SyntaxError):
                raise bad_request("IMAGE_PROCESS_FAILED") from None
            width, height = photo[-1]["width"], photo[-1]["height"]
            if max(width, height) > 20 * min(width, height):
                raise bad_request("PHOTO_INVALID_DIMENSIONS")
            return photo
        if (kept := files.kept.get(file_id)) is not None:
            return files.photo(kept.data)
        raise bad_request("wrong remote file identifier specified: Wrong string length")

    def _send(self, chat: ChatState, params: Params, content: Payload) -> Payload:
        reply_to = self._reply(chat, params)
        thread = self._thread(chat, params)
        markup = keyboard(params.json("reply_markup"))
        if markup is not None:
            content["reply_markup"] = markup
        if params.flag("protect_content"):
            content["has_protected_content"] = True
        sender: Payload = {"from": self._world.bot.payload()}
        if chat.kind == "channel":
            sender = {"sender_chat": chat.payload()}
        stored = self._world.add(
            chat, content, sender=sender, reply_to=reply_to, thread=thread, announce=False
        )
        stored.by_bot = True
        stored.silent = params.flag("disable_notification")
        return self._world.render(stored)

    def _text(self, params: Params) -> Payload:
        text, entities = self._formatted(params, "text", "entities")
        if not text:
            raise bad_request("message text is empty")
        if len(text) > TEXT_LIMIT:
            raise bad_request("message is too long")
        out: Payload = {"text": text}
        if entities:
            out["entities"] = entities
        if (preview := params.json("link_preview_options")) is not None:
            out["link_preview_options"] = preview
        return out

    def _caption(self, params: Params) -> Payload:
        text, entities = self._formatted(params, "caption", "caption_entities")
        if len(text) > CAPTION_LIMIT:
            raise bad_request("message caption is too long")
        out: Payload = {"caption": text} if text else {}
        return {**out, "caption_entities": entities} if text and entities else out

    def _formatted(self, params: Params, name: str, entities: str) -> tuple[str, list[dict[str, Any]]]:
        given = params.json(entities)
        if given:
            return trimmed(params.text(name), given)
        return parsed(params.text(name), params.text("parse_mode"))

    def _reply(self, chat: ChatState, params: Params) -> int | None:
        wanted = params.json("reply_parameters")
        if not wanted and (old := params.number("reply_to_message_id")):
            lenient = params.flag("allow_sending_without_reply")
            wanted = {"message_id": old, "allow_sending_without_reply": lenient}
        if not wanted:
            return None
        if int(wanted.get("chat_id", chat.id)) != chat.id:
            raise bad_request("the stand-in replies within one chat only")
        if self._world.find(chat.id, int(wanted["message_id"])) is not None:
            return int(wanted["message_id"])
        if wanted.get("allow_sending_without_reply"):
            return None
        raise bad_request("message to be replied not found")

    def _thread(self, chat: ChatState, params: Params) -> int | None:
        thread = params.number("message_thread_id")
        if thread is None:
            return None
        known = thread in chat.topics if chat.forum else self._world.find(chat.id, thread) is not None
        if chat.kind != "supergroup" or not known:
            raise bad_request("message thread not found")
        return thread

    def _own(self, params: Params) -> Stored:
        if params.text("inline_message_id"):
            raise bad_request("MESSAGE_ID_INVALID")
        chat = self._world.for_bot(params.text("chat_id"))
        message_id = params.number("message_id")
        if message_id is None:
            raise bad_request("message identifier is not specified")
        stored = self._world.find(chat.id, message_id)
        if stored is None:
            raise bad_request("message to edit not found")
        if not stored.by_bot:
            raise bad_request("message can't be edited")
        return stored

    def _change(self, stored: Stored, content: Payload, names: tuple[str, ...], params: Params) -> Payload:
        """Replace the parts ``names``; a keyboard that is not sent again goes away, as on Telegram."""
        markup = keyboard(params.json("reply_markup"))
        wanted = {**content, **({"reply_markup": markup} if markup is not None else {})}
        before = {n: stored.payload[n] for n in (*names, "reply_markup") if n in stored.payload}
        if wanted == before:
            raise bad_request(NOT_MODIFIED)
        for name in before:
            del stored.payload[name]
        stored.payload |= wanted
        stored.payload["edit_date"] = int(time.time())
        stored.edits += 1
        return self._world.render(stored)
