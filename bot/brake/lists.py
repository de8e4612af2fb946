"""The words that stop, pause, resume and abort, by language. No rules: those are in `bot.brake.words`.

Left out, on purpose, is what people also say to one another as a whole message: "go ahead" (which is consent), "ok",
"moment", "basta", "keep going".
"""

from collections.abc import Mapping
from typing import Final, Literal

Action = Literal["stop", "pause", "steer", "resume", "abort"]

FREE: Final[Mapping[Action, tuple[str, ...]]] = {
    "stop": (
        "stop", "halt", "just stop", "stop there", "stop right there", "stop the run", "stop this run",
        "stop the agent", "stop the bot", "stop the agents", "stop the bots", "halt the run", "halt the agent",
        "no, stop", "no, no, stop", "no no stop", "no no no stop", "ok stop", "ok, stop", "okay stop", "okay, stop",
        "hey stop", "hey, stop", "wait stop", "wait, stop", "wait no stop", "wait, no, stop", "hold on, stop",
        "hold on stop", "emergency stop",
        # German
        "stopp", "stoppe", "stoppen", "anhalten", "halt an", "haltet an", "aufhören", "aufhoeren", "hör auf",
        "hoer auf", "hört auf", "hör auf damit", "halt stopp", "nein stopp", "nein, stopp", "lauf anhalten",
        "lauf stoppen", "nothalt",
        # French
        "arrête", "arrete", "arrêtez", "arretez", "arrêter", "arreter", "arrête-toi", "arrêtez-vous", "arrête ça",
        "stoppez", "halte", "non, arrête", "non arrête", "non, stop",
        # Spanish
        "detente", "detén", "detengan", "deténgase", "detengase", "deténganse", "detener", "alto ahí", "alto ahi",
        "detenga", "detenlo", "no, detente", "detente ya",
        # Spanish and Portuguese
        "pare", "paren", "parem", "parar", "pare já", "pare com isso", "para com isso", "interrompa", "interromper",
        "não, pare", "nao, pare",
        # Italian
        "fermati", "fermatevi", "fermare", "smettila", "stoppa", "interrompi", "no, fermati",
        # Dutch
        "stop ermee", "hou op", "hou ermee op", "houd op", "ophouden", "nee, stop", "nee stop",
        # Japanese
        "やめて", "止めて", "とめて", "停止", "ストップ", "中止", "やめてください", "止めてください",
        "停止してください", "ストップしてください", "中止してください", "やめてくれ", "止めてくれ", "やめてよ",
        "止めてよ", "やめてほしい", "止めてほしい", "やめろ", "止めろ", "止まれ", "止まって", "止まってください",
        "やめてー", "止めてー",
        "停止して", "ストップして", "中止して", "停止お願いします", "ストップお願いします", "緊急停止",
        # Chinese
        "停下", "停下来", "停下來", "停手", "住手", "打住", "快停", "快停下", "停停停", "停止运行", "停止運行",
        "停止执行", "停止執行", "立即停止", "马上停止", "馬上停止", "立刻停止", "紧急停止", "緊急停止", "停止吧",
        "请停止", "請停止", "请停下", "請停下", "请停止运行",
        # Emoji, and their names as Slack sends them
        "🛑", "⏹", ":octagonal_sign:", ":stop_sign:", ":stop:", ":black_square_for_stop:", ":stop_button:",
        ":octagonal_sign: stop", "🛑 stop", "stop 🛑", "stop :octagonal_sign:",
    ),
    "pause": (
        "pause", "wait", "hold on", "hang on", "hold it", "hold up", "pause the run", "pause this run",
        "pause the agent", "put it on hold", "wait a minute", "wait a moment", "wait a second", "wait a sec",
        "just wait", "hold on a second", "hold on a sec", "hold on a minute", "hang on a second", "hang on a sec",
        "hang on a minute", "no wait", "no, wait", "wait, no", "ok wait", "ok, wait", "hey wait", "hey, wait",
        "hold on, wait", "wait, hold on", "wait hold on",
        # German
        "warte", "wartet", "warte mal", "wart mal", "warte kurz", "warte doch", "bitte warten", "moment mal",
        "halt mal", "pausieren", "pausiere", "pause machen", "nein, warte", "nein warte",
        # French
        "attends", "attendez", "attends un peu", "attends une seconde", "attends une minute", "attendez une seconde",
        "patiente", "patientez", "mets en pause", "mettez en pause", "mettre en pause", "non, attends",
        "non attends",
        # Spanish
        "espera", "espere", "esperen", "espérate", "esperate", "espera un momento", "espera un segundo",
        "espera un minuto", "no, espera",
        # Spanish, Portuguese and Italian
        "pausa", "pausar", "pon en pausa", "metti in pausa",
        # Portuguese
        "espera aí", "espera ai", "espera um momento", "espera um minuto", "espere um momento", "esperem", "aguarde",
        "aguarda", "peraí", "perai", "não, espera", "coloca em pausa",
        # Italian
        "aspetta", "aspettate", "aspetta un attimo", "aspetta un momento", "no, aspetta",
        # Dutch
        "wacht", "wacht even", "wacht eens", "wacht eens even", "pauze", "pauzeer", "pauzeren", "nee, wacht",
        "nee wacht",
        # Japanese
        "待って", "まって", "待ってください", "待ってくれ", "待ってよ", "待ってね", "ちょっと待って", "ちょっとまって",
        "ちょっと待ってください", "ちょっと待った", "待った", "待ってー", "一時停止", "一時停止して",
        "一時停止してください", "一旦停止", "いったん止めて", "一旦止めて",
        # Chinese
        "等一下", "等一等", "等等", "等一会", "等一会儿", "等下", "先等等", "先等一下", "停一下", "先停一下", "暂停",
        "暫停", "暂停一下", "暫停一下", "先暂停", "先暫停", "请等一下", "請等一下", "请暂停", "請暫停",
        # Emoji
        "⏸", ":double_vertical_bar:", ":pause_button:",
    ),
    "resume": (
        "resume", "continue", "unpause", "resume it", "resume the run", "resume this run", "resume the agent",
        "continue the run", "continue this run",
        # German
        "weitermachen", "fortsetzen", "fortfahren", "lauf fortsetzen", "den lauf fortsetzen",
        # French
        "reprends", "reprenez", "reprendre", "continuer",
        # Spanish, Portuguese and Italian
        "reanuda", "reanude", "reanudar", "continuar", "retomar", "retome", "riprendi", "riprendete", "riprendere",
        "continuare",
        # Dutch
        "hervat", "hervatten",
        # Japanese
        "再開", "再開して", "再開してください", "続行", "続行して", "続行してください",
        # Chinese
        "恢复运行", "恢復運行", "恢复执行", "恢復執行", "继续运行", "繼續運行", "继续执行", "繼續執行",
    ),
    "abort": (
        "abort", "abort the run", "abort this run", "cancel the run", "cancel this run", "end the run", "end this run",
        "terminate the run", "terminate this run", "kill the run", "kill this run",
        # German
        "abbrechen", "abbruch", "lauf abbrechen", "den lauf abbrechen", "brich den lauf ab", "lauf beenden",
        "den lauf beenden",
        # French
        "abandonner", "annuler l'exécution", "annuler l'execution", "annule l'exécution", "annule l'execution",
        # Spanish
        "cancelar la ejecución", "cancelar la ejecucion", "cancela la ejecución", "cancela la ejecucion",
        # Spanish and Portuguese
        "abortar", "cancelar a execução", "cancelar a execucao", "cancele a execução", "encerrar a execução",
        # Italian and Dutch
        "annulla l'esecuzione", "afbreken", "run afbreken",
        # Japanese
        "実行を中止", "実行を中止して", "実行を中止してください", "実行を打ち切って", "打ち切り",
        # Chinese
        "终止", "終止", "终止运行", "終止運行", "终止执行", "終止執行",
    ),
}  # fmt: skip
"""A whole message, and the beginning of one, ended by a space or by punctuation."""

APART: Final[Mapping[Action, tuple[str, ...]]] = {
    "stop": (
        "stop it", "stop this", "stop that", "para", "no, para", "para ya", "párate", "parate", "alto", "pára", "ferma",
        "停", "停吧",
    ),
    "pause": ("hold", "hold this", "pause it", "pause this", "pause that", "wait no"),
    "abort": ("abort it", "abort this"),
}  # fmt: skip
"""A whole message, or set apart from the rest of it by punctuation: "para mañana" is "for tomorrow"."""

ADDRESSED: Final[Mapping[Action, tuple[str, ...]]] = {
    "stop": ("cancel", "cancel it", "cancel this"),
    "resume": (
        "go on", "carry on", "ok resume", "ok, resume", "ok continue", "ok, continue", "weiter", "mach weiter",
        "macht weiter", "continuez", "poursuis", "poursuivez", "continúa", "continua", "continúe", "sigue", "siga",
        "prosigue", "prossiga", "prosegui", "vai avanti", "ga door", "ga verder", "doorgaan", "続けて",
        "続けてください", "继续", "繼續", "恢复", "恢復",
    ),
    "abort": ("abandonne", "abandonnez", "aborta", "aborte", "brich ab"),
}  # fmt: skip
"""As those set apart, and never in a channel, where people say these words to one another."""

STEER: Final = ("steer",)
"""Begins an instruction to an agent, where that is plainly what it is: to the bot, and after a `!`."""

ALL: Final = (
    "all", "everything", "it all", "them all", "all of them", "all of it", "all agents", "all runs", "all bots",
    "all the agents", "all the runs", "all the bots", "every agent", "every bot", "every run", "alle", "alles",
    "alle agenten", "alle läufe", "tout", "tous", "tous les agents", "todo", "todos", "todos los agentes",
    "todos os agentes", "tudo", "tutto", "tutti", "tutti gli agenti", "全部", "すべて", "全て", "所有", "一切",
)  # fmt: skip

BEFORE_A_NAME: Final = ("the agent ", "agent ", "the ", "@")

FILLERS: Final = (
    "please", "pls", "plz", "now", "right now", "immediately", "at once", "asap", "bitte", "jetzt", "sofort",
    "s'il te plaît", "s'il te plait", "s'il vous plaît", "s'il vous plait", "stp", "svp", "maintenant", "tout de suite",
    "por favor", "porfa", "ahora", "agora", "per favore", "per piacere", "alsjeblieft", "alstublieft", "aub", "nu",
    "今すぐ", "🙏", ":pray:", "✋", ":hand:", ":raised_hand:", "🚨", ":rotating_light:",
)  # fmt: skip
"""Changes nothing, before a phrase or after it."""

BECAUSE: Final = ("because", "cause", "cuz", "since", "weil", "parce que", "porque", "perché", "omdat")
"""Ends the name of a target as punctuation does."""
