"""The properties of items that a request may name by the schema (MS-OXWSCDATA section 2.2.5.30). An answer has no value of those
that no item here has."""

from __future__ import annotations

_NAMES = {
    "item": """
        ItemId ParentFolderId ItemClass MimeContent Attachments Subject DateTimeReceived Size Categories
        HasAttachments Importance InReplyTo InternetMessageHeaders IsAssociated IsDraft IsFromMe IsResend IsSubmitted
        IsUnmodified DateTimeSent DateTimeCreated Body ResponseObjects Sensitivity ReminderDueBy ReminderIsSet
        ReminderNextTime ReminderMinutesBeforeStart DisplayTo DisplayCc Culture EffectiveRights LastModifiedName
        LastModifiedTime ConversationId UniqueBody Flag StoreEntryId InstanceKey NormalizedBody EntityExtractionResult
        PolicyTag ArchiveTag RetentionDate Preview NextPredictedAction GroupingAction PredictedActionReason IsClutter
        RightsManagementLicenseData BlockStatus HasBlockedImages WebClientReadFormQueryString
        WebClientEditFormQueryString TextBody IconIndex MimeContentUTF8 Hashtags Mentions MentionedMe
        PendingSocialActivityTagIds
    """,
    "message": """
        ConversationIndex ConversationTopic InternetMessageId IsRead IsResponseRequested IsReadReceiptRequested
        IsDeliveryReceiptRequested ReceivedBy ReceivedRepresenting References ReplyTo From Sender ToRecipients
        CcRecipients BccRecipients ApprovalRequestData VotingInformation ReminderMessageData
    """,
    "meeting": """
        AssociatedCalendarItemId IsDelegated IsOutOfDate HasBeenProcessed ResponseType ProposedStart ProposedEnd
    """,
    "meetingRequest": "MeetingRequestType IntendedFreeBusyStatus ChangeHighlights",
    "calendar": """
        Start End OriginalStart StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId IsAllDayEvent
        LegacyFreeBusyStatus Location EnhancedLocation When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent
        IsResponseRequested CalendarItemType MyResponseType Organizer RequiredAttendees OptionalAttendees Resources
        ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings AdjacentMeetings InboxReminders Duration
        TimeZone AppointmentReplyTime AppointmentSequenceNumber AppointmentState Recurrence FirstOccurrence
        LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone ConferenceType AllowNewTimeProposal
        IsOnlineMeeting MeetingWorkspaceUrl NetShowUrl UID RecurrenceId DateTimeStamp StartTimeZone EndTimeZone
        JoinOnlineMeetingUrl OnlineMeetingSettings IsOrganizer
    """,
    "task": """
        ActualWork AssignedTime BillingInformation ChangeCount Companies CompleteDate Contacts DelegationState
        Delegator DueDate IsAssignmentEditable IsComplete IsRecurring IsTeamTask Mileage Owner PercentComplete
        Recurrence StartDate Status StatusDescription TotalWork
    """,
    "contacts": """
        Alias AssistantName Birthday BusinessHomePage Children Companies CompanyName CompleteName ContactSource
        Culture Department DisplayName DirectoryId DirectReports EmailAddresses AbchEmailAddresses FileAs
        FileAsMapping Generation GivenName ImAddresses Initials JobTitle Manager ManagerMailbox MiddleName Mileage
        MSExchangeCertificate Nickname Notes OfficeLocation PhoneNumbers PhoneticFullName PhoneticFirstName
        PhoneticLastName Photo PhysicalAddresses PostalAddressIndex Profession SpouseName Surname WeddingAnniversary
        UserSMIMECertificate HasPicture AccountName IsAutoUpdateDisabled IsMessengerEnabled Comment ContactShortId
        ContactType CreatedBy Gender IsHidden ObjectId PassportId IsPrivate SourceId TrustLevel Urls Cid
        SkypeAuthCertificate SkypeContext SkypeId XboxLiveTag SkypeRelationship YomiNickname InviteFree
        HidePresenceAndProfile IsPendingOutbound SupportGroupFeeds UserTileHash UnifiedInbox Mris Wlid AbchContactId
        NotInBirthdayCalendar ShellContactType ImMri PresenceTrustLevel OtherMri ProfileLastChanged MobileIMEnabled
        PartnerNetworkProfilePhotoUrl PartnerNetworkThumbnailPhotoUrl
    """,
    "distributionlist": "Members",
    "postitem": "PostedTime",
    "rolemember": "MemberType MemberId DisplayName",
    "network": """
        TokenRefreshLastCompleted TokenRefreshLastAttempted SyncEnabled RejectedOffers SessionHandle
        RefreshTokenExpiry2 RefreshToken2 PsaLastChanged Offers LastWelcomeContact LastVersionSaved DomainTag
        FirstAuthErrorDates ErrorOffers ContactSyncSuccess ContactSyncError ClientToken2 ClientToken
        ClientPublishSecret UserEmail AutoLinkSuccess AutoLinkError IsDefault Settings ProfileUrl UserTileUrl DomainId
        SourceEntryID DisplayName AccountName
    """,
    "abchperson": "FavoriteOrder PersonId AntiLinkInfo RelevanceOrder1 RelevanceOrder2 ContactHandles Categories",
    "booking": "ServiceId StaffIds CustomerName CustomerEmail CustomerPhone CustomerId",
    "insight": "InsightId Type StartTimeUtc EndTimeUtc Status Version",
}
URIS = frozenset(f"{prefix}:{name}" for prefix, names in _NAMES.items() for name in names.split())
"""The paths of all properties of items."""
