"""Response codes of Exchange Web Services, with the words that go with them (MS-OXWSCDATA section 2.2.5.24)."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """A response code; `text` are words in English for it, which clients show or log."""

    text: str

    def __new__(cls, code: str, text: str) -> Code:
        member = str.__new__(cls, code)
        member._value_ = code
        member.text = text
        return member

    # fmt: off
    NO_ERROR = "NoError", "The operation succeeded."
    ACCESS_DENIED = "ErrorAccessDenied", "Access is denied. Check credentials and try again."
    AFFECTED_TASK_OCCURRENCES_REQUIRED = (
        "ErrorAffectedTaskOccurrencesRequired", "It is not said which occurrences of the task are deleted.")
    ARCHIVE_MAILBOX_NOT_ENABLED = "ErrorArchiveMailboxNotEnabled", "The mailbox has no archive."
    ATTACHMENT_SIZE_LIMIT_EXCEEDED = "ErrorAttachmentSizeLimitExceeded", "The attachment is too large."
    CALENDAR_CANNOT_MOVE_OR_COPY_OCCURRENCE = (
        "ErrorCalendarCannotMoveOrCopyOccurrence", "One occurrence of a series cannot be moved or copied.")
    CALENDAR_CANNOT_USE_ID_FOR_OCCURRENCE_ID = "ErrorCalendarCannotUseIdForOccurrenceId", "The id does not name a series."
    CALENDAR_CANNOT_USE_ID_FOR_RECURRING_MASTER_ID = (
        "ErrorCalendarCannotUseIdForRecurringMasterId", "The id does not name an occurrence of a series.")
    CALENDAR_DURATION_IS_TOO_LONG = "ErrorCalendarDurationIsTooLong", "The calendar item lasts longer than five years."
    CALENDAR_END_DATE_IS_EARLIER_THAN_START_DATE = "ErrorCalendarEndDateIsEarlierThanStartDate", "The end lies before the start."
    CALENDAR_FOLDER_IS_INVALID_FOR_CALENDAR_VIEW = (
        "ErrorCalendarFolderIsInvalidForCalendarView", "A calendar view is of a calendar folder.")
    CALENDAR_INVALID_DAY_FOR_TIME_CHANGE_PATTERN = (
        "ErrorCalendarInvalidDayForTimeChangePattern", "The day of the time change is not valid.")
    CALENDAR_INVALID_DAY_FOR_WEEKLY_RECURRENCE = (
        "ErrorCalendarInvalidDayForWeeklyRecurrence", "The days of the weekly recurrence are not valid.")
    CALENDAR_INVALID_PROPERTY_STATE = "ErrorCalendarInvalidPropertyState", "The property of the calendar item is not valid."
    CALENDAR_INVALID_PROPERTY_VALUE = (
        "ErrorCalendarInvalidPropertyValue", "The value of the calendar item's property is not valid.")
    CALENDAR_INVALID_RECURRENCE = "ErrorCalendarInvalidRecurrence", "The recurrence is not valid."
    CALENDAR_INVALID_TIME_ZONE = "ErrorCalendarInvalidTimeZone", "The time zone is not valid."
    CALENDAR_IS_CANCELLED_FOR_ACCEPT = "ErrorCalendarIsCancelledForAccept", "The meeting was cancelled."
    CALENDAR_IS_CANCELLED_FOR_DECLINE = "ErrorCalendarIsCancelledForDecline", "The meeting was cancelled."
    CALENDAR_IS_CANCELLED_FOR_TENTATIVE = "ErrorCalendarIsCancelledForTentative", "The meeting was cancelled."
    CALENDAR_IS_NOT_ORGANIZER = "ErrorCalendarIsNotOrganizer", "The caller is not the organizer of the meeting."
    CALENDAR_IS_ORGANIZER_FOR_ACCEPT = "ErrorCalendarIsOrganizerForAccept", "The organizer cannot answer the meeting."
    CALENDAR_IS_ORGANIZER_FOR_DECLINE = "ErrorCalendarIsOrganizerForDecline", "The organizer cannot answer the meeting."
    CALENDAR_IS_ORGANIZER_FOR_TENTATIVE = "ErrorCalendarIsOrganizerForTentative", "The organizer cannot answer the meeting."
    CALENDAR_OCCURRENCE_INDEX_IS_OUT_OF_RECURRENCE_RANGE = (
        "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange", "The series has no occurrence with this number.")
    CALENDAR_OCCURRENCE_IS_DELETED_FROM_RECURRENCE = (
        "ErrorCalendarOccurrenceIsDeletedFromRecurrence", "The occurrence was deleted.")
    CALENDAR_OUT_OF_RANGE = "ErrorCalendarOutOfRange", "The time of the calendar item is out of range."
    CALENDAR_MEETING_REQUEST_IS_OUT_OF_DATE = (
        "ErrorCalendarMeetingRequestIsOutOfDate", "The meeting has changed since this request.")
    CALENDAR_VIEW_RANGE_TOO_BIG = "ErrorCalendarViewRangeTooBig", "A calendar view spans two years at most."
    CANNOT_CREATE_CALENDAR_ITEM_IN_NON_CALENDAR_FOLDER = (
        "ErrorCannotCreateCalendarItemInNonCalendarFolder", "A calendar item is created in a calendar folder.")
    CANNOT_CREATE_CONTACT_IN_NON_CONTACT_FOLDER = (
        "ErrorCannotCreateContactInNonContactFolder", "A contact is created in a contacts folder.")
    CANNOT_CREATE_POST_ITEM_IN_NON_MAIL_FOLDER = "ErrorCannotCreatePostItemInNonMailFolder", "A post is created in a mail folder."
    CANNOT_CREATE_TASK_IN_NON_TASK_FOLDER = "ErrorCannotCreateTaskInNonTaskFolder", "A task is created in a tasks folder."
    CANNOT_DELETE_OBJECT = "ErrorCannotDeleteObject", "The object cannot be deleted."
    CANNOT_DELETE_TASK_OCCURRENCE = "ErrorCannotDeleteTaskOccurrence", "One occurrence of a task cannot be deleted so."
    CANNOT_EMPTY_FOLDER = "ErrorCannotEmptyFolder", "The folder cannot be emptied."
    CANNOT_SET_CALENDAR_PERMISSION_ON_NON_CALENDAR_FOLDER = (
        "ErrorCannotSetCalendarPermissionOnNonCalendarFolder", "Calendar permissions are for calendar folders.")
    CANNOT_SET_NON_CALENDAR_PERMISSION_ON_CALENDAR_FOLDER = (
        "ErrorCannotSetNonCalendarPermissionOnCalendarFolder", "A calendar folder has calendar permissions.")
    CANNOT_SET_PERMISSION_UNKNOWN_ENTRIES = (
        "ErrorCannotSetPermissionUnknownEntries", "Unknown entries of a permission set cannot be set.")
    CANNOT_USE_FOLDER_ID_FOR_ITEM_ID = "ErrorCannotUseFolderIdForItemId", "The id names a folder, and an item is wanted."
    CANNOT_USE_ITEM_ID_FOR_FOLDER_ID = "ErrorCannotUseItemIdForFolderId", "The id names an item, and a folder is wanted."
    CHANGE_KEY_REQUIRED = "ErrorChangeKeyRequired", "A change key is required."
    CONTAINS_FILTER_WRONG_TYPE = "ErrorContainsFilterWrongType", "Contains is for texts."
    CORRUPT_DATA = "ErrorCorruptData", "The data cannot be read."
    CREATE_ITEM_ACCESS_DENIED = "ErrorCreateItemAccessDenied", "The caller may not create items in this folder."
    CREATE_SUBFOLDER_ACCESS_DENIED = "ErrorCreateSubfolderAccessDenied", "The caller may not create folders in this folder."
    CROSS_MAILBOX_MOVE_COPY = "ErrorCrossMailboxMoveCopy", "Items are not moved or copied between these mailboxes."
    DATA_SIZE_LIMIT_EXCEEDED = "ErrorDataSizeLimitExceeded", "The data is too large."
    DELEGATE_ALREADY_EXISTS = "ErrorDelegateAlreadyExists", "The user is a delegate already."
    DELEGATE_CANNOT_ADD_OWNER = "ErrorDelegateCannotAddOwner", "The owner of a mailbox cannot be its delegate."
    DELEGATE_NO_USER = "ErrorDelegateNoUser", "The delegate is no user of this organization."
    DELETE_DISTINGUISHED_FOLDER = "ErrorDeleteDistinguishedFolder", "A well-known folder cannot be deleted."
    DUPLICATE_INPUT_FOLDER_NAMES = "ErrorDuplicateInputFolderNames", "A folder name is there twice."
    DUPLICATE_USER_IDS_SPECIFIED = "ErrorDuplicateUserIdsSpecified", "A user is there twice."
    EXCEEDED_CONNECTION_COUNT = "ErrorExceededConnectionCount", "There are too many connections."
    EXCEEDED_SUBSCRIPTION_COUNT = "ErrorExceededSubscriptionCount", "There are too many subscriptions."
    EXPIRED_SUBSCRIPTION = "ErrorExpiredSubscription", "The subscription has expired."
    FOLDER_NOT_FOUND = "ErrorFolderNotFound", "The specified folder could not be found in the store."
    FOLDER_EXISTS = "ErrorFolderExists", "A folder with the specified name already exists."
    FOLDER_SAVE_PROPERTY_ERROR = "ErrorFolderSavePropertyError", "The folder's property could not be saved."
    FREE_BUSY_DL_LIMIT_REACHED = "ErrorFreeBusyDLLimitReached", "The group has too many members."
    FREE_BUSY_GENERATION_FAILED = "ErrorFreeBusyGenerationFailed", "Free/busy information could not be made."
    IMPERSONATE_USER_DENIED = (
        "ErrorImpersonateUserDenied", "The account does not have permission to impersonate the requested user.")
    INCORRECT_UPDATE_PROPERTY_COUNT = "ErrorIncorrectUpdatePropertyCount", "An update sets exactly one property."
    INSUFFICIENT_RESOURCES = "ErrorInsufficientResources", "The server has not enough resources."
    INTERNAL_SERVER_ERROR = "ErrorInternalServerError", "An internal server error occurred. The operation failed."
    INTERNAL_SERVER_TRANSIENT_ERROR = "ErrorInternalServerTransientError", "The operation failed now. Try again."
    INVALID_ARGUMENT = "ErrorInvalidArgument", "The argument is not valid."
    INVALID_ATTACHMENT_ID = "ErrorInvalidAttachmentId", "The attachment id is not valid."
    INVALID_CHANGE_KEY = "ErrorInvalidChangeKey", "The change key is not valid."
    INVALID_DELEGATE_PERMISSION = "ErrorInvalidDelegatePermission", "The delegate's permission is not valid."
    INVALID_DELEGATE_USER_ID = "ErrorInvalidDelegateUserId", "The delegate's id is not valid."
    INVALID_EXCHANGE_IMPERSONATION_HEADER_DATA = (
        "ErrorInvalidExchangeImpersonationHeaderData", "The impersonation header is not valid.")
    INVALID_EXCLUDES_RESTRICTION = "ErrorInvalidExcludesRestriction", "The bitmask of an Excludes restriction is not valid."
    INVALID_EXTENDED_PROPERTY = "ErrorInvalidExtendedProperty", "The extended property is not valid."
    INVALID_EXTENDED_PROPERTY_VALUE = "ErrorInvalidExtendedPropertyValue", "The value of the extended property is not valid."
    INVALID_FOLDER_TYPE_FOR_OPERATION = "ErrorInvalidFolderTypeForOperation", "The operation is not for this type of folder."
    INVALID_FRACTIONAL_PAGING_PARAMETERS = "ErrorInvalidFractionalPagingParameters", "The fractional view is not valid."
    INVALID_FREE_BUSY_VIEW_TYPE = "ErrorInvalidFreeBusyViewType", "The type of free/busy view is not valid."
    INVALID_ID_EMPTY = "ErrorInvalidIdEmpty", "The id is empty."
    INVALID_ID_MALFORMED = "ErrorInvalidIdMalformed", "The id is malformed."
    INVALID_INDEXED_PAGING_PARAMETERS = "ErrorInvalidIndexedPagingParameters", "The indexed view is not valid."
    INVALID_ITEM_FOR_OPERATION_CREATE_ITEM_ATTACHMENT = (
        "ErrorInvalidItemForOperationCreateItemAttachment", "The item cannot be an attachment.")
    INVALID_ITEM_FOR_OPERATION_CREATE_ITEM = "ErrorInvalidItemForOperationCreateItem", "The item cannot be created so."
    INVALID_ITEM_FOR_OPERATION_ACCEPT_ITEM = "ErrorInvalidItemForOperationAcceptItem", "The item cannot be accepted."
    INVALID_ITEM_FOR_OPERATION_DECLINE_ITEM = "ErrorInvalidItemForOperationDeclineItem", "The item cannot be declined."
    INVALID_ITEM_FOR_OPERATION_CANCEL_ITEM = "ErrorInvalidItemForOperationCancelItem", "The item cannot be cancelled."
    INVALID_ITEM_FOR_OPERATION_EXPAND_DL = "ErrorInvalidItemForOperationExpandDL", "The item is no distribution list."
    INVALID_ITEM_FOR_OPERATION_REMOVE_ITEM = "ErrorInvalidItemForOperationRemoveItem", "The item cannot be removed so."
    INVALID_ITEM_FOR_OPERATION_SEND_ITEM = "ErrorInvalidItemForOperationSendItem", "The item cannot be sent."
    INVALID_ITEM_FOR_OPERATION_TENTATIVE = "ErrorInvalidItemForOperationTentative", "The item cannot be accepted tentatively."
    INVALID_MAILBOX = "ErrorInvalidMailbox", "The mailbox is not valid."
    INVALID_MERGED_FREE_BUSY_INTERVAL = "ErrorInvalidMergedFreeBusyInterval", "The interval of merged free/busy is not valid."
    INVALID_OOF_PARAMETER = "ErrorInvalidOofParameter", "The out-of-office setting is not valid."
    INVALID_OPERATION = "ErrorInvalidOperation", "The operation is not valid."
    INVALID_PAGING_MAX_ROWS = "ErrorInvalidPagingMaxRows", "The number of rows is not valid."
    INVALID_PARENT_FOLDER = "ErrorInvalidParentFolder", "The parent folder is not valid."
    INVALID_PERCENT_COMPLETE_VALUE = "ErrorInvalidPercentCompleteValue", "The percentage is not valid."
    INVALID_PERMISSION_SETTINGS = "ErrorInvalidPermissionSettings", "The permissions are not valid."
    INVALID_USER_INFO = "ErrorInvalidUserInfo", "The user is not valid."
    INVALID_PROPERTY_APPEND = "ErrorInvalidPropertyAppend", "The property cannot be appended to."
    INVALID_PROPERTY_DELETE = "ErrorInvalidPropertyDelete", "The property cannot be deleted."
    INVALID_PROPERTY_FOR_OPERATION = "ErrorInvalidPropertyForOperation", "The property is not for this operation."
    INVALID_PROPERTY_REQUEST = "ErrorInvalidPropertyRequest", "The property is not of this kind of item."
    INVALID_PROPERTY_SET = "ErrorInvalidPropertySet", "The property cannot be set."
    INVALID_PROPERTY_UPDATE_SENT_MESSAGE = (
        "ErrorInvalidPropertyUpdateSentMessage", "The property of a sent message cannot be changed.")
    INVALID_PULL_SUBSCRIPTION_ID = "ErrorInvalidPullSubscriptionId", "The subscription is no pull subscription."
    INVALID_PUSH_SUBSCRIPTION_URL = "ErrorInvalidPushSubscriptionUrl", "The URL of the push subscription is not valid."
    INVALID_RECIPIENTS = "ErrorInvalidRecipients", "The recipients are not valid."
    INVALID_REFERENCE_ITEM = "ErrorInvalidReferenceItem", "The referenced item is not valid for this."
    INVALID_REQUEST = "ErrorInvalidRequest", "The request is not valid."
    INVALID_RESTRICTION = "ErrorInvalidRestriction", "The restriction is not valid."
    INVALID_ROUTING_TYPE = "ErrorInvalidRoutingType", "The routing type is not supported; SMTP is."
    INVALID_SCHEDULED_OOF_DURATION = (
        "ErrorInvalidScheduledOofDuration", "The end of the out-of-office time does not lie behind its start.")
    INVALID_SEND_ITEM_SAVE_SETTINGS = (
        "ErrorInvalidSendItemSaveSettings", "The settings for saving a sent item contradict each other.")
    INVALID_SERVER_VERSION = "ErrorInvalidServerVersion", "The specified server version is invalid."
    INVALID_SUBSCRIPTION = "ErrorInvalidSubscription", "The subscription is not valid."
    INVALID_SUBSCRIPTION_REQUEST = "ErrorInvalidSubscriptionRequest", "The subscription request is not valid."
    INVALID_SYNC_STATE_DATA = "ErrorInvalidSyncStateData", "The synchronization state is not valid."
    INVALID_TIME_INTERVAL = "ErrorInvalidTimeInterval", "The time interval is not valid."
    INVALID_USER_OOF_SETTINGS = "ErrorInvalidUserOofSettings", "The out-of-office settings are not valid."
    INVALID_USER_PRINCIPAL_NAME = "ErrorInvalidUserPrincipalName", "The user principal name is not valid."
    INVALID_USER_SID = "ErrorInvalidUserSid", "The user's SID is not valid."
    INVALID_VALUE_FOR_PROPERTY = "ErrorInvalidValueForProperty", "The value of the property is not valid."
    INVALID_WATERMARK = "ErrorInvalidWatermark", "The watermark is not valid."
    IRRESOLVABLE_CONFLICT = "ErrorIrresolvableConflict", "The item has changed since it was read."
    ITEM_CORRUPT = "ErrorItemCorrupt", "The item cannot be read."
    ITEM_NOT_FOUND = "ErrorItemNotFound", "The specified object was not found in the store."
    ITEM_SAVE = "ErrorItemSave", "The item could not be saved."
    MAIL_RECIPIENT_NOT_FOUND = "ErrorMailRecipientNotFound", "The recipient was not found."
    MAILBOX_DATA_ARRAY_EMPTY = "ErrorMailboxDataArrayEmpty", "There is no mailbox to ask about."
    MAILBOX_DATA_ARRAY_TOO_BIG = "ErrorMailboxDataArrayTooBig", "There are too many mailboxes to ask about."
    MAILBOX_LOGON_FAILED = "ErrorMailboxLogonFailed", "The mailbox could not be opened."
    MAILBOX_STORE_UNAVAILABLE = "ErrorMailboxStoreUnavailable", "The mailbox server is not available now. Try again."
    MANAGED_FOLDER_NOT_FOUND = "ErrorManagedFolderNotFound", "The managed folder does not exist."
    MESSAGE_DISPOSITION_REQUIRED = "ErrorMessageDispositionRequired", "A message disposition is required."
    MESSAGE_SIZE_EXCEEDED = "ErrorMessageSizeExceeded", "The message is too large."
    MIME_CONTENT_INVALID = "ErrorMimeContentInvalid", "The MIME content is not valid."
    MIME_CONTENT_INVALID_BASE64_STRING = "ErrorMimeContentInvalidBase64String", "The MIME content is no base64."
    MISSING_ARGUMENT = "ErrorMissingArgument", "An argument is missing."
    MISSING_INFORMATION_EMAIL_ADDRESS = "ErrorMissingInformationEmailAddress", "The e-mail address is missing."
    MISSING_INFORMATION_REFERENCE_ITEM_ID = "ErrorMissingInformationReferenceItemId", "The reference item id is missing."
    MISSING_ITEM_FOR_CREATE_ITEM_ATTACHMENT = "ErrorMissingItemForCreateItemAttachment", "The item of the attachment is missing."
    MISSING_RECIPIENTS = "ErrorMissingRecipients", "There are no recipients."
    MISSING_USER_ID_INFORMATION = "ErrorMissingUserIdInformation", "The user's id is missing."
    MOVE_COPY_FAILED = "ErrorMoveCopyFailed", "The move or copy failed."
    MOVE_DISTINGUISHED_FOLDER = "ErrorMoveDistinguishedFolder", "A well-known folder cannot be moved."
    NAME_RESOLUTION_MULTIPLE_RESULTS = "ErrorNameResolutionMultipleResults", "Multiple results were found."
    NAME_RESOLUTION_NO_RESULTS = "ErrorNameResolutionNoResults", "No results were found."
    NO_FOLDER_CLASS_OVERRIDE = "ErrorNoFolderClassOverride", "The class of the folder follows from its element."
    NO_FREE_BUSY_ACCESS = "ErrorNoFreeBusyAccess", "The caller may not see when the mailbox is busy."
    NON_EXISTENT_MAILBOX = "ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it."
    NON_PRIMARY_SMTP_ADDRESS = "ErrorNonPrimarySmtpAddress", "The primary SMTP address must be used."
    NOT_DELEGATE = "ErrorNotDelegate", "The user is no delegate."
    OBJECT_TYPE_CHANGED = "ErrorObjectTypeChanged", "The class of the item cannot be changed so."
    OCCURRENCE_CROSSING_BOUNDARY = "ErrorOccurrenceCrossingBoundary", "The occurrence would cross its neighbour."
    PARENT_FOLDER_NOT_FOUND = "ErrorParentFolderNotFound", "The parent folder could not be found."
    PROXY_REQUEST_PROCESSING_FAILED = "ErrorProxyRequestProcessingFailed", "The other server could not process the request."
    QUERY_FILTER_TOO_LONG = "ErrorQueryFilterTooLong", "The query is too long."
    QUOTA_EXCEEDED = "ErrorQuotaExceeded", "The mailbox is full."
    RECURRENCE_HAS_NO_OCCURRENCE = "ErrorRecurrenceHasNoOccurrence", "The recurrence has no occurrence."
    REQUEST_STREAM_TOO_BIG = "ErrorRequestStreamTooBig", "The request is too large."
    REQUIRED_PROPERTY_MISSING = "ErrorRequiredPropertyMissing", "A required property is missing."
    RESOLVE_NAMES_INVALID_FOLDER_TYPE = "ErrorResolveNamesInvalidFolderType", "Names are resolved in contacts folders."
    RESOLVE_NAMES_ONLY_ONE_CONTACTS_FOLDER_ALLOWED = (
        "ErrorResolveNamesOnlyOneContactsFolderAllowed", "Names are resolved in one contacts folder at most.")
    RESTRICTION_TOO_LONG = "ErrorRestrictionTooLong", "The restriction is too long."
    RESTRICTION_TOO_COMPLEX = "ErrorRestrictionTooComplex", "The restriction is too complex."
    RESULT_SET_TOO_BIG = "ErrorResultSetTooBig", "The result is too large."
    SAVED_ITEM_FOLDER_NOT_FOUND = (
        "ErrorSavedItemFolderNotFound", "The folder in which the item is to be saved could not be found.")
    SCHEMA_VALIDATION = "ErrorSchemaValidation", "The request failed schema validation."
    SEARCH_FOLDER_NOT_INITIALIZED = "ErrorSearchFolderNotInitialized", "The search folder is not ready."
    SEND_AS_DENIED = "ErrorSendAsDenied", "The caller may not send as this user."
    SEND_MEETING_CANCELLATIONS_REQUIRED = (
        "ErrorSendMeetingCancellationsRequired", "It is not said whether cancellations are sent.")
    SEND_MEETING_INVITATIONS_OR_CANCELLATIONS_REQUIRED = (
        "ErrorSendMeetingInvitationsOrCancellationsRequired", "It is not said whether invitations or cancellations are sent.")
    SEND_MEETING_INVITATIONS_REQUIRED = (
        "ErrorSendMeetingInvitationsRequired", "It is not said whether invitations are sent.")
    SERVER_BUSY = "ErrorServerBusy", "The server cannot service this request right now. Try again later."
    STALE_OBJECT = "ErrorStaleObject", "The item has changed since it was read."
    SUBSCRIPTION_ACCESS_DENIED = "ErrorSubscriptionAccessDenied", "The subscription belongs to another user."
    SUBSCRIPTION_NOT_FOUND = "ErrorSubscriptionNotFound", "The subscription does not exist."
    SYNC_FOLDER_NOT_FOUND = "ErrorSyncFolderNotFound", "The folder to synchronize could not be found."
    TIME_INTERVAL_TOO_BIG = "ErrorTimeIntervalTooBig", "The time interval is too long."
    TIME_ZONE = "ErrorTimeZone", "The time zone is not valid."
    TO_FOLDER_NOT_FOUND = "ErrorToFolderNotFound", "The destination folder could not be found."
    UNSUPPORTED_MAPI_PROPERTY_TYPE = "ErrorUnsupportedMapiPropertyType", "The type of the property is not supported."
    UNSUPPORTED_PATH_FOR_QUERY = "ErrorUnsupportedPathForQuery", "The property cannot be searched for."
    UNSUPPORTED_PATH_FOR_SORT_GROUP = "ErrorUnsupportedPathForSortGroup", "The property cannot be sorted by."
    UNSUPPORTED_QUERY_FILTER = "ErrorUnsupportedQueryFilter", "The restriction is not supported."
    UNSUPPORTED_TYPE_FOR_CONVERSION = "ErrorUnsupportedTypeForConversion", "The type of id cannot be converted."
    UPDATE_DELEGATES_FAILED = "ErrorUpdateDelegatesFailed", "The delegates could not be updated."
    UPDATE_PROPERTY_MISMATCH = "ErrorUpdatePropertyMismatch", "The property in the update is not the one that its path names."
    INVALID_PHOTO_SIZE = "ErrorInvalidPhotoSize", "The size of the photo is not valid."
    # fmt: on
