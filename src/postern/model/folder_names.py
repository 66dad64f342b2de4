"""Names of the well-known folders without mail, by language, as mail programs name them."""

from __future__ import annotations

from postern.model.folders import FOLDER_CLASSES, FolderKind

_NAMES = {
    "en": ("Calendar", "Contacts", "Tasks", "Notes", "Journal"),
    "de": ("Kalender", "Kontakte", "Aufgaben", "Notizen", "Journal"),
    "es": ("Calendario", "Contactos", "Tareas", "Notas", "Diario"),
    "fr": ("Calendrier", "Contacts", "Tâches", "Notes", "Journal"),
    "it": ("Calendario", "Contatti", "Attività", "Note", "Diario"),
    "ja": ("予定表", "連絡先", "タスク", "メモ", "履歴"),
    "ko": ("일정", "연락처", "작업", "메모", "업무 일지"),
    "nl": ("Agenda", "Contactpersonen", "Taken", "Notities", "Logboek"),
    "pt": ("Calendário", "Contatos", "Tarefas", "Anotações", "Diário"),
    "ru": ("Календарь", "Контакты", "Задачи", "Заметки", "Дневник"),
    "zh": ("日历", "联系人", "任务", "便笺", "日记"),
}
LANGUAGES = tuple(_NAMES)
FORMER_NAMES = sorted({name for names in _NAMES.values() for name in names})
"""All names of this table: a folder that has one was not named by its owner."""


def folder_names(language: str) -> dict[FolderKind, str]:
    """Names in a language, which may have a region ("pt-BR", RFC 5646); English for one that is not here."""
    names = _NAMES.get(language.replace("_", "-").partition("-")[0].lower(), _NAMES["en"])
    return dict(zip(FOLDER_CLASSES, names, strict=True))
