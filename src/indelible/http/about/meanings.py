"""What each problem means and what to do about it: a paragraph each, shown at /problems/<name>."""

from __future__ import annotations

from indelible import errors
from indelible.errors import IndelibleError

MEANINGS: dict[type[IndelibleError], str] = {
    errors.Refused: (
        "The request itself is not in order, such as a Host header that is missing or stands twice. Nothing was stored. The detail "
        "names what to change; sending the same bytes again does not help."
    ),
    errors.NotJSON: (
        "The body is not JSON, so it could not be split into events; nothing was stored. Check that the sender's encoder made it "
        "(no trailing commas, no NaN, UTF-8), and that an NDJSON body is sent as application/x-ndjson."
    ),
    errors.BadParameter: (
        "A query parameter is unknown, stands twice or has a value that it cannot have; no answer was guessed. Filters carry the "
        "member's own path (actor.id, labels.team), times are RFC 3339 with an offset, and a cursor goes with the filters that it "
        "came with."
    ),
    errors.Unauthorized: (
        "This server has a key. Send it with every request as `Authorization: Bearer KEY`; whoever runs the server set it as INDELIBLE_KEY."
    ),
    errors.CrossSite: (
        "A browser said that a page of another site made this request. Pages may write only to the server that they came from; "
        "services that send events are no browsers and send no Origin header."
    ),
    errors.NotFound: (
        "There is no such event, entry, log or path. The detail names the logs that there are or the nearest path. An id is "
        "percent-encoded once: a slash in it is %2F."
    ),
    errors.NotYet: (
        "What you ask for is there but not signed yet: a log gets a checkpoint about a second after it has grown, and an empty one has "
        "none. Ask again, or send events with ?ack=proven, which waits for it."
    ),
    errors.NotAllowed: (
        "The path is there but takes other methods; the Allow header lists them. Events are stored with POST, and nothing that was "
        "stored can be changed or removed."
    ),
    errors.TooSlow: (
        "The request began and did not come to its end in time, or came so slowly that it kept others out; nothing was stored. Send "
        "the same bytes again, over a new connection."
    ),
    errors.Ambiguous: ("Ids belong to their source, and more than one source sent this one. Add ?source= with one of the sources listed."),
    errors.Conflict: (
        "An event with this id and source is already there, with other bytes. The first one stays as it is, and the attempt was "
        "kept as an entry of type indelible.conflict at `index`. Do not send it again: give a new event a new id, and find out why "
        "one id was used twice."
    ),
    errors.TooLarge: (
        "The body, after inflating, is over a limit of this server; nothing was stored. Send fewer events a request, and keep large "
        "documents elsewhere with their digest in the event."
    ),
    errors.Unsupported: (
        "The content type or encoding is not read here; nothing was stored. Send application/json or application/x-ndjson, plain or "
        "gzip. curl needs --json, because its -d says that the body is a form."
    ),
    errors.WrongHost: (
        "Without a key this server answers only to localhost, 127.0.0.1 and [::1], so that no web page can reach it under a name of "
        "its own. Use one of these names, or set INDELIBLE_KEY to open the server to others."
    ),
    errors.NotAnEvent: (
        "The body is JSON but not all of it is an event; nothing was stored, unless on_error=skip said so. Each fault names the "
        "event's index, the member and the right form. Correct the sender: the same bytes are refused again."
    ),
    errors.HeadTooLarge: (
        "The request's line and headers together are longer than 32 KiB, or there are more than 100 headers. Send fewer filters or "
        "cookies: nothing that this server reads needs that much."
    ),
    errors.Busy: (
        "The server holds as much as it can or is still reading its journal; nothing was stored. Send the same bytes again after "
        "Retry-After seconds, with growing pauses."
    ),
    errors.ReadOnly: (
        "This server was started to read only, beside a writing one or over damaged data; nothing was stored. Send the same bytes again "
        "to a server that writes, or later to this address."
    ),
    errors.Replaced: (
        "This server only reads, and the journal that it read has been repaired or replaced since: what it would show may be anything. "
        "Whoever runs it has to start it again; then ask again."
    ),
    errors.JournalFailed: (
        "A write to the journal failed, and whether it is on the disk is unknown. The process ends and finds out when it starts. "
        "Send the same bytes again: events with ids (or with an Idempotency-Key) are stored once."
    ),
    errors.JournalFull: (
        "The disk is full and nothing was stored; reading goes on. Whoever runs the server has to make space. Send the same bytes "
        "again later."
    ),
    errors.Damaged: (
        "What is on the disk is not what was written. Whoever runs the server finds the file, the offset and the command that helps "
        "in its log."
    ),
    IndelibleError: (
        "A defect of the server. Its log has a line about it, without the request's body. If you sent events, send the same bytes "
        "again: events with ids are stored once."
    ),
}
"""In the order of the statuses; errors that never travel over HTTP have none."""

BY_NAME = {error.name: error for error in MEANINGS}
