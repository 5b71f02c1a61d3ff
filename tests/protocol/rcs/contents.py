"""One of each content and suggestion, for whoever must spell them all."""

from __future__ import annotations

from protocol.rcs.content import (
    Audio,
    CalendarEvent,
    Card,
    Carousel,
    ComposeRecording,
    ComposeText,
    Content,
    Dial,
    DialEnriched,
    DialVideo,
    DisableAnonymization,
    EnableDisplayed,
    File,
    Location,
    Media,
    OpenUrl,
    Reply,
    RequestDevice,
    RequestLocation,
    RichCard,
    ShowLocation,
    Text,
    Thumbnail,
)

NUMBER = "+33123456789"
SUGGESTIONS = (
    Reply("OK", "ack:42"),
    OpenUrl("Suivre", "suivi:42", "https://exemple.fr/suivi"),
    OpenUrl("Payer", "payer", "https://exemple.fr/payer", "webview", "half", "q=1"),
    Dial("Appeler", "appel", NUMBER, "https://exemple.fr/appel"),
    DialEnriched("Appeler", "appel", NUMBER, "Commande 42"),
    DialVideo("Voir", "voir", NUMBER),
    ShowLocation("Carte", "carte", 48.85, 2.35, "Boutique"),
    ShowLocation("Carte", "carte", query="Tour Eiffel"),
    RequestLocation("Où ?", "ou"),
    CalendarEvent("Noter", "noter", "2026-11-22T15:00:00Z", "2026-11-22T16:00:00Z", "RDV", "En boutique"),
    ComposeText("Ecrire", "ecrire", NUMBER, "Bonjour"),
    ComposeRecording("Filmer", "filmer", NUMBER, "video"),
    RequestDevice("Appareil", "appareil"),
    DisableAnonymization("Montrer", "montrer"),
    EnableDisplayed("Lu", "lu"),
)
THUMBNAIL = Thumbnail("https://img.example/t.png", "image/png", 900, "t.png")
PHOTO = Media("https://img.example/a.jpg", "image/jpeg", 40_000, "tall", THUMBNAIL, "Une chaussure")
CARD = Card("Chaussures", "Cuir", PHOTO, SUGGESTIONS[:4])
CONTENTS: tuple[Content, ...] = (
    Text("Votre colis arrive a 14h", SUGGESTIONS[:11]),
    Text("Encore", SUGGESTIONS[11:]),
    File("https://f.example/a.pdf", "a.pdf", "application/pdf", 9_000, THUMBNAIL, SUGGESTIONS[:1]),
    Audio("https://f.example/a.mp3", "a.mp3", "audio/mpeg", 900, 12),
    Location(48.8566, 2.3522, "Paris", 100.0),
    RichCard(CARD, "vertical", title_font_style=("bold",), suggestions=SUGGESTIONS[:1]),
    RichCard(CARD, "horizontal", "left"),
    Carousel((CARD, Card("Bottes")), "medium"),
)
