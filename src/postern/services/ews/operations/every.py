"""All operations that there are, by the document that describes each."""

from __future__ import annotations

from postern.services.ews.operation import Operation
from postern.services.ews.operations.apply_conversation_action import APPLY_CONVERSATION_ACTION
from postern.services.ews.operations.convert_id import CONVERT_ID
from postern.services.ews.operations.create_attachment import CREATE_ATTACHMENT
from postern.services.ews.operations.create_folder import CREATE_FOLDER, CREATE_FOLDER_PATH, CREATE_MANAGED_FOLDER
from postern.services.ews.operations.create_item import CREATE_ITEM
from postern.services.ews.operations.create_user_configuration import CREATE_USER_CONFIGURATION
from postern.services.ews.operations.delegates import ADD_DELEGATE, GET_DELEGATE, REMOVE_DELEGATE, UPDATE_DELEGATE
from postern.services.ews.operations.delete_attachment import DELETE_ATTACHMENT
from postern.services.ews.operations.delete_folder import DELETE_FOLDER, EMPTY_FOLDER, MARK_ALL_ITEMS_AS_READ
from postern.services.ews.operations.delete_item import DELETE_ITEM
from postern.services.ews.operations.delete_user_configuration import DELETE_USER_CONFIGURATION
from postern.services.ews.operations.expand_dl import EXPAND_DL
from postern.services.ews.operations.export_items import EXPORT_ITEMS
from postern.services.ews.operations.find_conversation import FIND_CONVERSATION
from postern.services.ews.operations.find_folder import FIND_FOLDER
from postern.services.ews.operations.find_item import FIND_ITEM
from postern.services.ews.operations.find_people import FIND_PEOPLE, GET_PERSONA
from postern.services.ews.operations.get_attachment import GET_ATTACHMENT
from postern.services.ews.operations.get_conversation_items import GET_CONVERSATION_ITEMS
from postern.services.ews.operations.get_events import GET_EVENTS
from postern.services.ews.operations.get_folder import GET_FOLDER
from postern.services.ews.operations.get_item import GET_ITEM
from postern.services.ews.operations.get_mail_tips import GET_MAIL_TIPS
from postern.services.ews.operations.get_password_expiration_date import GET_PASSWORD_EXPIRATION_DATE
from postern.services.ews.operations.get_rooms import GET_ROOM_LISTS, GET_ROOMS
from postern.services.ews.operations.get_server_time_zones import GET_SERVER_TIME_ZONES
from postern.services.ews.operations.get_service_configuration import GET_SERVICE_CONFIGURATION
from postern.services.ews.operations.get_streaming_events import GET_STREAMING_EVENTS
from postern.services.ews.operations.get_user_availability import GET_USER_AVAILABILITY
from postern.services.ews.operations.get_user_configuration import GET_USER_CONFIGURATION
from postern.services.ews.operations.get_user_photo import GET_USER_PHOTO
from postern.services.ews.operations.inbox_rules import GET_INBOX_RULES, UPDATE_INBOX_RULES
from postern.services.ews.operations.mail_apps import GET_APP_MANIFESTS, GET_APP_MARKETPLACE_URL
from postern.services.ews.operations.mark_as_junk import MARK_AS_JUNK
from postern.services.ews.operations.move_folder import COPY_FOLDER, MOVE_FOLDER
from postern.services.ews.operations.move_item import ARCHIVE_ITEM, COPY_ITEM, MOVE_ITEM
from postern.services.ews.operations.oof_settings import GET_USER_OOF_SETTINGS, SET_USER_OOF_SETTINGS
from postern.services.ews.operations.resolve_names import RESOLVE_NAMES
from postern.services.ews.operations.send_item import SEND_ITEM
from postern.services.ews.operations.subscribe import SUBSCRIBE
from postern.services.ews.operations.sync_folder_hierarchy import SYNC_FOLDER_HIERARCHY
from postern.services.ews.operations.sync_folder_items import SYNC_FOLDER_ITEMS
from postern.services.ews.operations.unsubscribe import UNSUBSCRIBE
from postern.services.ews.operations.update_folder import UPDATE_FOLDER
from postern.services.ews.operations.update_item import UPDATE_ITEM
from postern.services.ews.operations.update_user_configuration import UPDATE_USER_CONFIGURATION
from postern.services.ews.operations.upload_items import UPLOAD_ITEMS

OPERATIONS: tuple[Operation, ...] = (
    # MS-OXWSFOLD, MS-OXWSSRCH
    GET_FOLDER,
    FIND_FOLDER,
    FIND_ITEM,
    CREATE_FOLDER,
    CREATE_FOLDER_PATH,
    CREATE_MANAGED_FOLDER,
    UPDATE_FOLDER,
    DELETE_FOLDER,
    EMPTY_FOLDER,
    MOVE_FOLDER,
    COPY_FOLDER,
    MARK_ALL_ITEMS_AS_READ,
    # MS-OXWSCORE
    GET_ITEM,
    CREATE_ITEM,
    UPDATE_ITEM,
    DELETE_ITEM,
    MOVE_ITEM,
    COPY_ITEM,
    ARCHIVE_ITEM,
    MARK_AS_JUNK,
    SEND_ITEM,
    # MS-OXWSATT
    GET_ATTACHMENT,
    CREATE_ATTACHMENT,
    DELETE_ATTACHMENT,
    # MS-OXWSNTIF
    SUBSCRIBE,
    GET_EVENTS,
    GET_STREAMING_EVENTS,
    UNSUBSCRIBE,
    # MS-OXWSSYNC
    SYNC_FOLDER_HIERARCHY,
    SYNC_FOLDER_ITEMS,
    # MS-OXWSDLGM
    GET_DELEGATE,
    ADD_DELEGATE,
    UPDATE_DELEGATE,
    REMOVE_DELEGATE,
    # MS-OXWSUSRCFG
    CREATE_USER_CONFIGURATION,
    GET_USER_CONFIGURATION,
    UPDATE_USER_CONFIGURATION,
    DELETE_USER_CONFIGURATION,
    # MS-OXWSCONV
    FIND_CONVERSATION,
    GET_CONVERSATION_ITEMS,
    APPLY_CONVERSATION_ACTION,
    # MS-OXWSBTRF
    EXPORT_ITEMS,
    UPLOAD_ITEMS,
    # MS-OXWSRULES
    GET_INBOX_RULES,
    UPDATE_INBOX_RULES,
    # MS-OXWSCVTID
    CONVERT_ID,
    # MS-OXWSRSLNM, MS-OXWSDLIST, MS-OXWSGTRM
    RESOLVE_NAMES,
    EXPAND_DL,
    GET_ROOM_LISTS,
    GET_ROOMS,
    # MS-OXWMT, MS-OXWCONFIG, MS-OXWSCONT
    GET_MAIL_TIPS,
    GET_SERVICE_CONFIGURATION,
    GET_USER_PHOTO,
    # MS-OXWSPERS
    FIND_PEOPLE,
    GET_PERSONA,
    # MS-OXWAVLS
    GET_USER_AVAILABILITY,
    # MS-OXWSGTZ
    GET_SERVER_TIME_ZONES,
    # MS-OXWSCEXT
    GET_APP_MANIFESTS,
    GET_APP_MARKETPLACE_URL,
    # MS-OXWSPED
    GET_PASSWORD_EXPIRATION_DATE,
    # MS-OXWOOF
    GET_USER_OOF_SETTINGS,
    SET_USER_OOF_SETTINGS,
)
