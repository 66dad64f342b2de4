"""The interface of items by id and folders by parent, on the row cas-to-mailbox beside MAILBOX_ACCESS: for the services of client
access other than IMAP and POP3. `model.item_store` and `model.folders` say what the operations mean.
"""

from __future__ import annotations

from uuid import UUID

from postern.model.items import Column
from postern.model.mailbox_server import MailboxItems
from postern.protocols.dcerpc.codecs import BOOLEAN, TEXTS, UUIDS, WORDS, Codec, Parameter
from postern.protocols.dcerpc.interface import Interface, Syntax
from postern.protocols.dcerpc.interfaces import item_codecs as codecs
from postern.protocols.dcerpc.interfaces import resource_codecs as resources
from postern.protocols.dcerpc.interfaces.mailbox import SEARCH_TIMEOUT, operation, preamble
from postern.protocols.dcerpc.interfaces.mailbox_codecs import UNCHANGED_SINCE
from postern.protocols.dcerpc.interfaces.search_codecs import SORT, TERM
from postern.protocols.dcerpc.interfaces.whole_items import WHOLE_ITEMS
from postern.protocols.dcerpc.ndr import I64, U8, U32, U64, UUID_T, Array, Text

_MAILBOX = Parameter("mailbox", UUID_T)
_FOLDER = Parameter("folder", I64)
_PARENT = Parameter("parent", I64)
_NAME = Parameter("name", Text())
_ITEM = Parameter("item", I64)
_IDS = Parameter("ids", codecs.IDS)
_TARGET = Parameter("target", I64)
_LETTERS = Parameter("letters", codecs.IDS)
_MOST = Parameter("most", U32)
_CONTENT = Parameter("content", BOOLEAN)
_OCTETS = Parameter("content", Array(U8))
_CLASS = Parameter("item_class", Text())
_EXPECTED = Parameter("expected", resources.EXPECTED)
_RENDERED = Parameter("rendered", resources.VALUES)
_UNIQUE = Parameter("unique_uid", BOOLEAN)

_OPERATIONS = {
    0: operation(
        MailboxItems.get,
        "These items, in the order of ids, with their octets where content is 1 and they fit beside the others.",
        (_MAILBOX, Parameter("content", BOOLEAN), _IDS),
        codecs.ITEMS,
    ),
    1: operation(
        MailboxItems.changes,
        "What became of the items of a folder, or of all (folder 0), after a change number.\n"
        "The answer ends with the first change that brings it to most ids; change is the number to ask with next.",
        (_MAILBOX, Parameter("folder", codecs.FOLDER_OR_ALL), Parameter("since", U64), Parameter("most", U32)),
        codecs.CHANGES,
    ),
    2: operation(
        MailboxItems.create,
        "The ids of new items; all or none. A date of -2^63 means now.",
        (_MAILBOX, _FOLDER, Parameter("items", codecs.NEW_ITEMS)),
        Parameter("ids", codecs.IDS),
    ),
    3: operation(
        MailboxItems.update,
        "Another content for an item, and with a class that is not empty another class.\n"
        "unchanged_since counts only if conditional is 1. The item as it stands then, without its content.",
        (
            _MAILBOX,
            _ITEM,
            Parameter("item_class", Text()),
            Parameter("unchanged_since", UNCHANGED_SINCE),
            Parameter("content", Array(U8)),
        ),
        codecs.ITEM,
    ),
    4: operation(
        MailboxItems.delete,
        "Removes the items for good, and says which.",
        (_MAILBOX, _IDS),
        Parameter("gone", codecs.IDS),
    ),
    5: operation(
        MailboxItems.move_items,
        "Moves the items to another folder, and says which. They keep their ids.",
        (_MAILBOX, _TARGET, _IDS),
        Parameter("moved", codecs.IDS),
    ),
    6: operation(
        MailboxItems.copy_items,
        "Copies the items, with their properties: sources[i] became copies[i].",
        (_MAILBOX, _TARGET, _IDS),
        codecs.COPIES,
    ),
    7: operation(
        MailboxItems.properties,
        "The item's properties: tags, and values in the binary form of MS-OXCDATA section 2.11.",
        (_MAILBOX, _ITEM),
        codecs.BAG,
    ),
    8: operation(
        MailboxItems.set_properties,
        "Replaces these properties; one without a value (with_value 0) is taken out.",
        (_MAILBOX, _ITEM, Parameter("values", codecs.BAG_CHANGES)),
    ),
    9: operation(
        MailboxItems.property_ids,
        "The numbers of named properties; a name is a lid, or a text where lid is -1. New names are numbered with create,\n"
        "else they are 0.",
        (_MAILBOX, Parameter("create", BOOLEAN), Parameter("names", codecs.NAMES)),
        Parameter("numbers", WORDS),
    ),
    10: operation(
        MailboxItems.property_names, "All named properties of the mailbox.", (_MAILBOX,), codecs.NUMBERED_NAMES
    ),
    11: operation(
        MailboxItems.tree, "All folders, of every class. A parent of 0 is the top.", (_MAILBOX,), codecs.nodes()
    ),
    12: operation(
        MailboxItems.create_in,
        "A new folder below parent (0: at the top).",
        (_MAILBOX, _PARENT, _NAME, Parameter("folder_class", Text())),
        codecs.NODE,
    ),
    13: operation(
        MailboxItems.move_folder,
        "Gives a folder another parent (0: none), another name, or both.",
        (_MAILBOX, _FOLDER, _PARENT, _NAME),
    ),
    14: operation(
        MailboxItems.folder_changes,
        "What became of folders after a change number; change is the number to ask with next.",
        (_MAILBOX, Parameter("since", U64)),
        codecs.FOLDER_CHANGES,
    ),
    15: operation(
        MailboxItems.rights,
        "What others may do in a folder: grantees (UUIDs of 16 bytes) and the bits of MS-OXCPERM section 2.2.7.",
        (_MAILBOX, _FOLDER),
        codecs.RIGHTS,
    ),
    16: operation(
        MailboxItems.set_rights,
        "Replaces the rights of one grantee; with keeps 0 the entry is taken out.",
        (_MAILBOX, _FOLDER, Parameter("grantee", UUID_T), Parameter("rights", codecs.GRANTED)),
    ),
    17: operation(
        MailboxItems.resources,
        "Up to most named items of a folder whose names come after a name, in the order of names: one entry of each column.\n"
        "tags holds 16 octets for each. An empty answer is the end.",
        (_MAILBOX, _FOLDER, Parameter("after", Text()), _MOST),
        resources.RESOURCES,
    ),
    18: operation(
        MailboxItems.named,
        "The items of these names, with their octets where content is 1 and they fit beside the others.",
        (_MAILBOX, _FOLDER, _CONTENT, Parameter("names", TEXTS)),
        resources.RESOURCES_WITH_CONTENT,
    ),
    19: operation(
        MailboxItems.with_ids,
        "Those of these items that have a name, with their octets as in named.",
        (_MAILBOX, _CONTENT, _IDS),
        resources.RESOURCES_WITH_CONTENT,
    ),
    20: operation(
        MailboxItems.with_uids,
        "The named items of a folder, or of all (folder 0), whose objects have these UIDs.",
        (_MAILBOX, Parameter("folder", codecs.FOLDER_OR_ALL), Parameter("uids", TEXTS)),
        resources.RESOURCES,
    ),
    21: operation(
        MailboxItems.put,
        "Stores octets under a name, over what has it. expected counts only if conditional is 1: no octets for nothing,\n"
        "an asterisk for something, or the tag of what is to be replaced. A time of -2^63 is none.",
        (
            _MAILBOX,
            _FOLDER,
            Parameter("name", Text()),
            _EXPECTED,
            _UNIQUE,
            _CLASS,
            _RENDERED,
            _OCTETS,
        ),
        resources.PUT,
    ),
    22: operation(
        MailboxItems.add,
        "The ids of new named items; all or none. One without a name gets one.",
        (_MAILBOX, _FOLDER, Parameter("unique_uids", BOOLEAN), Parameter("resources", resources.NEW_RESOURCES)),
        Parameter("ids", codecs.IDS),
    ),
    23: operation(
        MailboxItems.replace,
        "Another content with its values for an item, as in update.",
        (_MAILBOX, _ITEM, _CLASS, Parameter("unchanged_since", UNCHANGED_SINCE), _RENDERED, _OCTETS),
        resources.PUT,
    ),
    24: operation(
        MailboxItems.remove,
        "Removes the item of a name for good; expected as in put.",
        (_MAILBOX, _FOLDER, _NAME, _EXPECTED),
    ),
    25: operation(
        MailboxItems.place,
        "Moves (1) or copies (0) a named item to a folder and a name, with overwrite over what has it there.",
        (
            _MAILBOX,
            _FOLDER,
            _NAME,
            _TARGET,
            Parameter("new_name", Text()),
            Parameter("move", BOOLEAN),
            Parameter("overwrite", BOOLEAN),
            _UNIQUE,
        ),
        resources.PUT,
    ),
    26: operation(
        MailboxItems.resource_changes,
        "What became of the named items of a folder after a change number, as in changes; gone are the names of what left.",
        (_MAILBOX, _FOLDER, Parameter("since", U64), _MOST),
        resources.RESOURCE_CHANGES,
    ),
    27: operation(
        MailboxItems.folder_states,
        "What these folders hold, or all for no ids, and the change number that last touched an item in each.",
        (_MAILBOX, Parameter("folders", codecs.IDS)),
        resources.STATES,
    ),
    28: operation(
        MailboxItems.overlapping,
        "Values of up to most named items of a folder that may occupy some of the time, with ids above after.",
        (_MAILBOX, _FOLDER, Parameter("starts", I64), Parameter("ends", I64), Parameter("after", I64), _MOST),
        resources.RENDERED_BY_ID,
    ),
    29: operation(
        MailboxItems.with_addresses,
        "The ids of named items that have one of these addresses: counts of them for each address found.",
        (_MAILBOX, Parameter("addresses", TEXTS)),
        resources.ADDRESSED,
    ),
    30: operation(
        MailboxItems.reminders,
        "Reminders of all mailboxes that are due, the oldest first.",
        (Parameter("until", I64), _MOST),
        resources.REMINDERS,
    ),
    31: operation(
        MailboxItems.set_reminder,
        "Sets the next reminder of an item if it still was this one; a time of -2^63 is none.",
        (_MAILBOX, _ITEM, Parameter("was", I64), Parameter("at", resources.TIME_OR_NONE)),
        Parameter("is_set", BOOLEAN),
    ),
    32: operation(
        MailboxItems.shared_with,
        "Folders in all mailboxes of the database on which one of these grantees has an entry.",
        (Parameter("grantees_asked", UUIDS, "grantees"),),
        codecs.SHARED,
    ),
    33: operation(
        MailboxItems.folder_properties,
        "The properties of these folders, folder by folder: counts of them for each.",
        (_MAILBOX, Parameter("folders", codecs.IDS)),
        codecs.BAGS,
    ),
    34: operation(
        MailboxItems.set_folder_properties,
        "Replaces these properties of a folder; one without a value (with_value 0) is taken out.",
        (_MAILBOX, _FOLDER, Parameter("values", codecs.BAG_CHANGES)),
    ),
    35: operation(
        MailboxItems.name_folders,
        "Renames the well-known folders of these kinds that still have one of the former names.",
        (_MAILBOX, Parameter("names", codecs.FOLDER_NAMES), Parameter("former", TEXTS)),
    ),
    36: operation(
        MailboxItems.bags,
        "The properties of several items, as in folder_properties; an item without properties is left out.",
        (_MAILBOX, Parameter("items", codecs.IDS)),
        codecs.BAGS,
    ),
    37: operation(
        MailboxItems.mailbox_rights,
        "What others may do in all folders, folder by folder: counts of entries for each.",
        (_MAILBOX,),
        codecs.ALL_RIGHTS,
    ),
    38: operation(
        MailboxItems.full_access,
        "Those with full access to the mailbox (UUIDs of 16 bytes).",
        (_MAILBOX,),
        Parameter("grantees", UUIDS),
    ),
    39: operation(
        MailboxItems.set_full_access,
        "Grants (1) full access to one grantee, or takes it back (0).",
        (_MAILBOX, Parameter("grantee", UUID_T), Parameter("is_granted", BOOLEAN)),
    ),
    40: operation(
        MailboxItems.accessible,
        "The mailboxes of the database to which one of these grantees has full access.",
        (Parameter("grantees", UUIDS),),
        Parameter("mailboxes", UUIDS),
    ),
    41: operation(
        MailboxItems.put_sending,
        "put, and in the same transaction letters, which are items of the outbox, are ready to be sent.",
        (_MAILBOX, _LETTERS, _FOLDER, _NAME, _EXPECTED, _UNIQUE, _CLASS, _RENDERED, _OCTETS),
        resources.PUT,
    ),
    42: operation(
        MailboxItems.remove_sending,
        "remove, and in the same transaction letters, which are items of the outbox, are ready to be sent.",
        (_MAILBOX, _LETTERS, _FOLDER, _NAME, _EXPECTED),
    ),
    43: operation(
        MailboxItems.private_resources,
        "The private ones among the named items of a folder.",
        (_MAILBOX, _FOLDER),
        Parameter("ids", codecs.IDS),
    ),
    44: operation(
        MailboxItems.columns,
        "These items, in the order of ids, with the columns that were rendered of them at delivery.",
        (_MAILBOX, Parameter("columns", Codec(U32, None, Column)), _IDS),
        codecs.ITEM_COLUMNS,
    ),
    45: operation(
        MailboxItems.find,
        "A page of those items of a folder that match, in an order.",
        (
            _MAILBOX,
            _FOLDER,
            Parameter("offset", U64),
            _MOST,
            Parameter("term", TERM),
            Parameter("order", SORT),
        ),
        codecs.FOUND_ITEMS,
        timeout=SEARCH_TIMEOUT,
    ),
    46: operation(
        MailboxItems.walk,
        "Items of a folder in the order of their UIDs, with the columns that were rendered of them at delivery.",
        (
            _MAILBOX,
            _FOLDER,
            Parameter("after", U64),
            _MOST,
            Parameter("columns", Codec(U32, None, Column)),
            Parameter("until", U64),
        ),
        codecs.ITEM_COLUMNS,
    ),
    47: operation(
        MailboxItems.out_of_office,
        "Out-of-office settings. state is 0 (off), 1 (on), 2 (from starts to ends); audience is 0 (nobody outside of the\n"
        "organization), 1 (contacts), 2 (everybody).",
        (_MAILBOX,),
        resources.OUT_OF_OFFICE,
    ),
    48: operation(
        MailboxItems.set_out_of_office,
        "Replaces the out-of-office settings.",
        (_MAILBOX, Parameter("settings", resources.OUT_OF_OFFICE)),
    ),
}

MAILBOX_ITEMS: Interface[MailboxItems] = Interface(
    "postern_mailbox_items",
    Syntax(UUID("9d3b7c16-52e8-4c6f-b1a7-3f0e8d24c5a9"), 1),
    {**_OPERATIONS, **WHOLE_ITEMS},
    preamble("mailbox items", "cas-to-mailbox"),
    MailboxItems,
    sizes=(17, 38, 44, 47, 49, 54),
)
