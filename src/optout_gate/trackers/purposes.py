"""What a technology is there for, in the words of the privacy notice and of the field."""

from enum import StrEnum


class Purpose(StrEnum):
    """Why a vendor's code runs on the page."""

    ADVERTISING = "advertising"  # targeting, measuring and selling of ads; audiences; identity graphs
    ANALYTICS = "analytics"  # who visited what: page and event statistics, product analytics, A/B tests
    SESSION_REPLAY = "session_replay"  # records what the visitor does: replays, heat maps, form analytics
    SOCIAL = "social"  # like buttons, embedded posts, comments, sign-in of social networks
    PERSONALIZATION = "personalization"  # content chosen by profile, recommendations, chat that profiles
    TAG_MANAGEMENT = "tag_management"  # loads other vendors: containers, customer data platforms
    PERFORMANCE = "performance"  # speed and errors of the site itself
    SECURITY = "security"  # bot and fraud defence, captchas: keeps working for everyone
    FUNCTIONAL = "functional"  # what the page is made of: fonts, libraries, maps, payments, players, consent


DENIABLE = frozenset(Purpose) - {Purpose.SECURITY, Purpose.FUNCTIONAL}
"""Purposes that a policy may deny. Security and function are never in question."""
