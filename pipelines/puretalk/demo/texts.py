"""The texts of a plausible account: voices, users and assistants of a company that runs voice assistants for others.

All people are invented: addresses end in example.com or example.org, phone numbers are in ranges reserved for fiction.
Some assistants have the faults of real configurations (`FAULTS`), for an audit to find.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

Record = dict[str, Any]

NEW_GREETING: Final = "Thanks for calling, you are through to the new front desk. How may I help?"

ASSISTANT_TYPES: Final = ("single_prompt", "single_prompt", "multi_state", "chatbot", "multi_state", "single_prompt")
MODELS: Final = ("puretalk-plg", "puretalk-plg", "puretalk-plg", "gpt-3.5-turbo", "gpt-4o-mini")
EMOTIONS: Final = ("positivity:high", "curiosity", "calm", "empathy:low", "surprise:lowest", "sadness:low")
AREA_CODES: Final = (202, 212, 303, 312, 404, 415, 503, 617, 702, 808)
TIMEZONES: Final = {
    "en": ("America/New_York", "Europe/London", "America/Los_Angeles"),
    "de": ("Europe/Berlin", "Europe/Vienna"),
    "es": ("Europe/Madrid", "America/Mexico_City"),
    "fr": ("Europe/Paris",),
    "pt": ("Europe/Lisbon", "America/Sao_Paulo"),
}

#: voice_id -> e-mail of the user who had it cloned; only that user's assistants speak with it.
CLONED_VOICES: Final = {
    "vc_greta_clone": "greta@example.com",
    "vc_lindner_clone": "Juergen.Weiss@example.com",
    "vc_miramar_clone": "samuel@example.org",
}
#: Function -> method and URL that it calls; the others are functions of the platform.
CALLS: Final = {
    "book_appointment": ("POST", "https://calendar.example.com/v1/appointments"),
    "find_customer": ("GET", "https://crm.example.com/v1/customers"),
    "send_sms": ("POST", "https://messages.example.org/v2/sms"),
}

# language -> business -> (company, role, services). The role opens the prompt.
BUSINESSES: Final[dict[str, dict[str, tuple[str, str, tuple[str, ...]]]]] = {
    "en": {
        "dental booking": (
            "Harbour Dental",
            ("You are Anna, the friendly receptionist of Harbour Dental. You book, move and cancel appointments."),
            ("Check-up", "Hygiene session", "Whitening consultation", "Root canal review", "Emergency visit"),
        ),
        "hotel front desk": (
            "Hotel Miramar",
            (
                "You are the night desk of Hotel Miramar. "
                "You take reservations, answer questions about the house and send requests to housekeeping."
            ),
            ("Double room", "Sea view suite", "Late check-out", "Airport shuttle", "Breakfast on the terrace"),
        ),
        "payment reminder": (
            "Northfield Utilities",
            ("You call customers of Northfield Utilities about an open invoice. You are kind and never threaten."),
            ("Invoice copy", "Payment in three parts", "New due date", "Change of bank account"),
        ),
        "insurance first notice": (
            "Oakline Mutual",
            (
                "You take the first notice of loss for Oakline Mutual. "
                "You collect facts, you never judge who is at fault."
            ),
            ("Motor claim", "Water damage", "Stolen bicycle", "Glass breakage"),
        ),
        "car workshop": (
            "Mason & Sons Garage",
            "You answer the phone at Mason & Sons Garage. You book services and explain what they cost.",
            ("Oil change", "Annual inspection", "Tyre swap", "Brake check", "Courtesy car"),
        ),
        "customer survey": (
            "Brightside Research",
            (
                "You carry out a two minute survey for Brightside Research. "
                "You read each question exactly as it is written."
            ),
            ("Satisfaction question", "Recommendation question", "Open question"),
        ),
        "shop support": (
            "Pebble & Pine",
            "You help customers of the online shop Pebble & Pine with orders, returns and refunds.",
            ("Order status", "Return label", "Refund", "Change of address", "Gift card"),
        ),
    },
    "de": {
        "Zahnarzttermine": (
            "Zahnarztpraxis Dr. Lindner",
            (
                "Du bist Mia, die freundliche Stimme am Empfang der Zahnarztpraxis Dr. "
                "Lindner. Du vergibst, verschiebst und streichst Termine."
            ),
            ("Kontrolluntersuchung", "Professionelle Zahnreinigung", "Füllung", "Beratung Implantat", "Schmerztermin"),
        ),
        "Hotelrezeption": (
            "Hotel Alpenblick",
            (
                "Du bist die Rezeption des Hotels Alpenblick. "
                "Du nimmst Reservierungen an und beantwortest Fragen zum Haus."
            ),
            ("Doppelzimmer", "Familienzimmer", "Späte Abreise", "Halbpension", "Sauna"),
        ),
        "Zahlungserinnerung": (
            "Stadtwerke Neuburg",
            (
                "Du rufst Kundinnen und Kunden der Stadtwerke Neuburg wegen einer offenen Rechnung an. "
                "Du bist höflich und drohst nie."
            ),
            ("Rechnungskopie", "Ratenzahlung", "Neues Zahlungsziel", "Neue Bankverbindung"),
        ),
        "Autowerkstatt": (
            "Kfz Brandt",
            "Du gehst bei Kfz Brandt ans Telefon. Du buchst Werkstatttermine und nennst Festpreise.",
            ("Ölwechsel", "Hauptuntersuchung", "Reifenwechsel", "Bremsenprüfung", "Ersatzwagen"),
        ),
    },
    "es": {
        "recepción de hotel": (
            "Hotel Las Olas",
            "Eres la recepción del Hotel Las Olas. Tomas reservas y respondes preguntas sobre el hotel.",
            ("Habitación doble", "Suite con vistas", "Salida tardía", "Traslado al aeropuerto"),
        ),
        "citas dentales": (
            "Clínica Dental Robles",
            "Eres Lucía, recepcionista de la Clínica Dental Robles. Das, cambias y anulas citas.",
            ("Revisión", "Limpieza", "Ortodoncia", "Urgencia"),
        ),
        "tienda en línea": (
            "Tienda Almendro",
            "Ayudas a los clientes de la tienda en línea Almendro con pedidos, cambios y devoluciones.",
            ("Estado del pedido", "Devolución", "Cambio de talla", "Tarjeta regalo"),
        ),
    },
    "fr": {
        "accueil d'hôtel": (
            "Hôtel du Vieux Port",
            (
                "Vous êtes la réception de l'Hôtel du Vieux Port. "
                "Vous prenez les réservations et répondez aux questions."
            ),
            ("Chambre double", "Suite familiale", "Départ tardif", "Petit-déjeuner"),
        ),
        "déclaration de sinistre": (
            "Mutuelle des Tilleuls",
            (
                "Vous recueillez la première déclaration de sinistre pour la Mutuelle des Tilleuls. "
                "Vous ne dites jamais qui a tort."
            ),
            ("Sinistre auto", "Dégât des eaux", "Vol de vélo", "Bris de glace"),
        ),
    },
    "pt": {
        "oficina": (
            "Oficina Moreira",
            "Você atende o telefone da Oficina Moreira. Marca revisões e explica os preços.",
            ("Troca de óleo", "Revisão anual", "Pneus", "Travões"),
        ),
        "pesquisa de satisfação": (
            "Instituto Clareza",
            ("Você faz uma pesquisa de dois minutos para o Instituto Clareza. Leia cada pergunta como está escrita."),
            ("Pergunta de satisfação", "Pergunta de recomendação", "Pergunta aberta"),
        ),
    },
}

HEADINGS: Final = {
    "en": ("Identity", "Style", "Task", "Facts", "Rules", "Example", "When it gets difficult"),
    "de": ("Rolle", "Stil", "Aufgabe", "Fakten", "Regeln", "Beispiel", "Wenn es schwierig wird"),
    "es": ("Identidad", "Estilo", "Tarea", "Datos", "Reglas", "Ejemplo", "Cuando se complica"),
    "fr": ("Identité", "Style", "Tâche", "Faits", "Règles", "Exemple", "En cas de difficulté"),
    "pt": ("Identidade", "Estilo", "Tarefa", "Fatos", "Regras", "Exemplo", "Quando fica difícil"),
}
GREETINGS: Final = {
    "en": "Hello {{customer_name}}, this is {company}. How can I help you today?",
    "de": "Guten Tag {{customer_name}}, hier ist {company}. Was kann ich für Sie tun?",
    "es": "Hola {{customer_name}}, le atiende {company}. ¿En qué puedo ayudarle?",
    "fr": "Bonjour {{customer_name}}, ici {company}. Que puis-je faire pour vous ?",
    "pt": "Olá {{customer_name}}, aqui é da {company}. Como posso ajudar?",
}
SENTENCES: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "Keep every answer under two sentences; callers listen, they do not read.",
        "Ask one question at a time and wait for the answer.",
        "Repeat dates, times and numbers back before you confirm them.",
        "Say times as people say them: half past nine, not 09:30.",
        "If the caller interrupts, stop at once and listen.",
        "Never invent a price, an opening time or a name that is not given here.",
        "Spell e-mail addresses letter by letter when you confirm them.",
        "If you did not understand twice, offer to have somebody call back.",
        "Do not give medical, legal or financial advice; offer a colleague instead.",
        "If the caller asks whether you are a machine, say yes, kindly and briefly.",
        "Hand over to {{transfer_number}} when the caller is angry or asks for a person.",
        "Today is {{current_date}}; appointments lie at least two hours ahead.",
        "Close with a summary in one sentence and wish the caller a good day.",
    ),
    "de": (
        "Antworte in höchstens zwei Sätzen; am Telefon wird gehört, nicht gelesen.",
        "Stelle immer nur eine Frage und warte die Antwort ab.",
        "Wiederhole Datum, Uhrzeit und Nummern, bevor du sie bestätigst.",
        "Sprich Uhrzeiten so aus, wie man sie sagt: halb zehn, nicht 9:30 Uhr.",
        "Wenn du unterbrochen wirst, höre sofort auf und höre zu.",
        "Erfinde keine Preise, Öffnungszeiten oder Namen.",
        "Buchstabiere E-Mail-Adressen zur Bestätigung.",
        "Wenn du zweimal nichts verstanden hast, biete einen Rückruf an.",
        "Gib keinen medizinischen oder rechtlichen Rat.",
        "Verbinde mit {{transfer_number}}, wenn jemand verärgert ist oder einen Menschen verlangt.",
        "Heute ist {{current_date}}; Termine liegen mindestens zwei Stunden in der Zukunft.",
        "Fasse am Ende in einem Satz zusammen und verabschiede dich freundlich.",
    ),
    "es": (
        "Responda en dos frases como máximo; por teléfono se escucha, no se lee.",
        "Haga una sola pregunta cada vez y espere la respuesta.",
        "Repita fechas, horas y números antes de confirmarlos.",
        "Si le interrumpen, calle enseguida y escuche.",
        "No invente precios, horarios ni nombres.",
        "Si no ha entendido dos veces, ofrezca que le devuelvan la llamada.",
        "Pase la llamada a {{transfer_number}} si el cliente está enfadado o pide hablar con una persona.",
        "Hoy es {{current_date}}; las citas se dan con dos horas de antelación.",
        "Termine con un resumen de una frase y una despedida amable.",
    ),
    "fr": (
        "Répondez en deux phrases au plus ; au téléphone on écoute, on ne lit pas.",
        "Posez une seule question à la fois et attendez la réponse.",
        "Répétez les dates, les heures et les numéros avant de les confirmer.",
        "Si l'on vous interrompt, arrêtez-vous aussitôt et écoutez.",
        "N'inventez ni prix, ni horaire, ni nom.",
        "Après deux incompréhensions, proposez un rappel.",
        "Transférez au {{transfer_number}} si la personne est fâchée ou demande un humain.",
        "Nous sommes le {{current_date}} ; un rendez-vous se prend au moins deux heures à l'avance.",
        "Terminez par un résumé d'une phrase et une formule aimable.",
    ),
    "pt": (
        "Responda em no máximo duas frases; ao telefone as pessoas ouvem, não leem.",
        "Faça uma pergunta de cada vez e espere a resposta.",
        "Repita datas, horas e números antes de confirmar.",
        "Se for interrompido, pare logo e escute.",
        "Não invente preços, horários nem nomes.",
        "Se não entendeu duas vezes, ofereça um retorno de chamada.",
        "Transfira para {{transfer_number}} se a pessoa estiver irritada ou pedir um atendente.",
        "Hoje é {{current_date}}; marcações com pelo menos duas horas de antecedência.",
        "Termine com um resumo em uma frase e uma despedida simpática.",
    ),
}
STEPS: Final = {
    "en": ("Greeting", "Find the customer", "Understand the request", "Offer a time", "Confirm", "Close", "Transfer"),
    "de": (
        "Begrüßung",
        "Kunden finden",
        "Anliegen verstehen",
        "Termin anbieten",
        "Bestätigen",
        "Abschluss",
        "Verbinden",
    ),
    "es": ("Saludo", "Buscar al cliente", "Entender la petición", "Ofrecer una hora", "Confirmar", "Despedida"),
    "fr": ("Accueil", "Trouver le client", "Comprendre la demande", "Proposer un horaire", "Confirmer", "Conclure"),
    "pt": ("Saudação", "Encontrar o cliente", "Entender o pedido", "Oferecer um horário", "Confirmar", "Encerrar"),
}
SPEAKERS: Final = {
    "en": ("Caller", "Assistant"),
    "de": ("Anrufer", "Assistentin"),
    "es": ("Cliente", "Asistente"),
    "fr": ("Client", "Assistant"),
    "pt": ("Cliente", "Assistente"),
}
EDITS: Final = (
    "Ask for the caller's date of birth before you change an appointment.",
    "From now on offer a text message with the confirmation.",
    "We are closed on {{holiday_date}}; offer the next working day.",
    "If the line is noisy, say so once and ask the caller to repeat.",
)


def users() -> list[Record]:
    """The owners of the assistants; two without a picture, one without a name."""
    people = (
        ("Greta Holm", "https://pictures.example.com/dp/greta.png", "greta@example.com"),
        ("Rafael Duarte", "https://pictures.example.com/dp/rafael.jpg", "rafael.duarte@example.com"),
        ("Amélie Fournier", "", "amelie@example.org"),
        ("Samuel Okafor", "https://cdn.example.org/u/5/dp.webp", "samuel@example.org"),
        ("", None, "operations@example.com"),
        ("Jürgen Weiß", "https://pictures.example.com/dp/j%C3%BCrgen.png", "Juergen.Weiss@example.com"),
    )
    return [{"name": name, "dp": dp, "email": email} for name, dp, email in people]


def voices() -> list[Record]:
    """Twelve voices: three cloned, four without demo audio, one with almost no fields."""
    rows = (
        ("vc_anna", "Anna", "female", "en-US", False, True, "Warm and clear, made for reception desks."),
        ("vc_brian", "Brian", "male", "en-GB", False, True, "Calm British baritone."),
        ("vc_carla", "Carla", "female", "es-ES", False, True, "Lively, medium tempo."),
        ("vc_dieter", "Dieter", "male", "de-DE", False, True, "Sachlich und ruhig."),
        ("vc_elise", "Élise", "female", "fr-FR", False, True, "Douce et posée."),
        ("vc_fabio", "Fábio", "male", "pt-BR", False, False, "Friendly, a little fast."),
        ("vc_greta_clone", "Greta (own voice)", "female", "en-US", True, False, "Cloned from 12 minutes."),
        ("vc_lindner_clone", "Praxis Lindner", "female", "de-DE", True, False, ""),
        ("vc_miramar_clone", "Miramar night desk", "male", "en-GB", True, True, None),
        ("vc_hana", "Hana", "female", "en-AU", False, True, "Bright, for surveys."),
        ("vc_ivo", "Ivo", "neutral", "de-AT", False, True, "Weich, mit Wiener Klang."),
        ("vc_jo", "Jo", None, None, False, False, None),
    )
    return [
        {
            "voice_id": voice_id,
            "name": name,
            "avatar": f"https://cdn.example.com/voices/{voice_id}.png" if gender else None,
            "gender": gender,
            "demo_audio_url": f"https://cdn.example.com/voices/{voice_id}.mp3" if has_demo else "",
            "is_cloned": is_cloned,
            "language": language,
            "description": description,
        }
        for voice_id, name, gender, language, is_cloned, has_demo, description in rows
    ]


def assistant(
    rng: random.Random, number: int, voices: list[Record], users: list[Record], created_at: str, updated_at: str
) -> Record:
    """One record as the list endpoint serves it, fields in the documented order; the caller sets `assistant_id`."""
    language = rng.choice(("en", "en", "en", "de", "de", "es", "fr", "pt"))
    business, (company, role, services) = rng.choice(list(BUSINESSES[language].items()))
    kind = ASSISTANT_TYPES[number % len(ASSISTANT_TYPES)]
    is_chatbot = kind == "chatbot"
    prompt, names = _prompt(rng, language, company, role, services)
    greeting = GREETINGS[language].replace("{company}", company)
    user, voice = rng.choice(users) if users else None, _voice(rng, language, voices)
    record: Record = {
        "user": _owner_of(voice, users) or user,
        "voice": voice,
        "llm_states": _states(rng, language, services, 1, 4) if kind == "multi_state" else rng.choice(([], [], None)),
        "phone_number": _phone(rng, language, number)
        if not is_chatbot and rng.random() < 0.7
        else rng.choice((None, "")),
        "variables": _variables(rng, names),
        "knowledge_base": rng.choice((None, "", f"{company}: {', '.join(services)}.")),
        "assistant_id": None,
        "name": f"{company}: {business}" + (f" {number}" if rng.random() < 0.6 else ""),
        "prompt": prompt,
        "model": rng.choice(MODELS),
        "who_speaks_first": rng.choice(("assistant", "assistant", "user")),
        "begin_message": greeting if rng.random() < 0.9 else "",
        "assistant_type": kind,
        "avatar": rng.choice((None, "", f"https://cdn.example.com/avatars/{number}.png")),
        "custom_knowledge_base": rng.choice((None, None, f"kb-{number:05d}")),
        "timezone": rng.choice(TIMEZONES[language]),
        "voice_stability": "0.50" if number % 9 == 4 else rng.choice((0.5, 0.5, 0.35, 0.8, 1)),
        "voice_clarity_similarity": rng.choice((0.5, 0.75, 0.9)),
        "voice_stream_latency_optimization": rng.choice((0, 2, 2, 3, 4)),
        "voice_boost": rng.random() < 0.3,
        "voice_speed": rng.choice((1, 1, 1.1, 0.95, None)),
        "voice_emotion": rng.sample(EMOTIONS, rng.choice((0, 0, 1, 2, 3))) if rng.random() < 0.9 else None,
        "call_recording_enabled": number % 3 == 0,
        "reminder_message_frequency": rng.choice((10, 15, 7.5, None)),
        "max_reminder_messages": rng.choice((1, 2, 3)),
        "post_analysis": _post_analysis(rng),
        "chatbot_logo": f"https://cdn.example.com/logos/{number}.svg" if is_chatbot else None,
        "chatbot_accent_color": rng.choice(("#1F6FEB", "#0a7", "#B42318")) if is_chatbot else rng.choice((None, "")),
        "chatbot_faq": _faq(rng, services) if is_chatbot else None,
        "chatbot_whitelisted_domains": _domains(rng, company) if is_chatbot else rng.choice(([], [], None)),
        "chatbot_begin_message": greeting.replace("{{customer_name}}, ", "") if is_chatbot else None,
        "tools": _tools_text(rng),
        "created_at": created_at,
        "updated_at": updated_at,
        "behavior": rng.choice((1, 2, 3, None)),
    }
    if record["call_recording_enabled"] and record["begin_message"]:
        record["begin_message"] += RECORDING_NOTICE[language]
    if rng.random() < 0.06:
        del record[rng.choice(("phone_number", "custom_knowledge_base", "chatbot_logo", "avatar", "voice_emotion"))]
    return record


RECORDING_NOTICE: Final = {
    "en": " This call is recorded.",
    "de": " Dieses Gespräch wird aufgezeichnet.",
    "es": " Esta llamada se graba.",
    "fr": " Cet appel est enregistré.",
    "pt": " Esta chamada é gravada.",
}


def edited_prompt(rng: random.Random, prompt: str) -> tuple[str, str]:
    """The prompt after an edit, and what the edit did."""
    lines = prompt.splitlines()
    bullets = [index for index, line in enumerate(lines) if line.startswith("- ")]
    sentence = rng.choice(EDITS)
    if bullets and rng.random() < 0.5:
        index = rng.choice(bullets)
        lines[index] = f"- {sentence}"
        return "\n".join(lines), "a rule was rewritten"
    return "\n".join([*lines, f"- {sentence}"]), "a rule was added"


# Parts of an assistant


def _prompt(
    rng: random.Random, language: str, company: str, role: str, services: tuple[str, ...]
) -> tuple[str, list[str]]:
    """A prompt of 1 to 8 KB and the names of the variables it uses."""
    identity, style, task, facts, rules, example, trouble = HEADINGS[language]
    sentences = SENTENCES[language]
    size = int(1000 * 8 ** rng.random())
    parts = [f"# {identity}", role, "", f"## {style}", *_bullets(rng, sentences, 3), "", f"## {task}"]
    parts += [f"{n}. {step}" for n, step in enumerate(_steps(rng, language, services), 1)]
    parts += ["", f"## {facts}", f"- {company}, {{{{office_address}}}}, {{{{opening_hours}}}}"]
    parts += [f"- {name}: {rng.randrange(20, 400, 5)} €, {rng.randrange(10, 90, 5)} min" for name in services]
    parts += ["", f"## {rules}", *_bullets(rng, sentences, min(len(sentences), 8))]
    written = sum(map(len, parts))
    number = 0
    while written < size:
        number += 1
        more = ["", f"## {example} {number}", *_dialogue(rng, language, services)]
        if rng.random() < 0.4:
            more += ["", f"## {trouble}", *_bullets(rng, sentences, 3)]
        parts += more
        written += sum(map(len, more))
    text = "\n".join(parts)
    if len(text) > 8000:
        text = text[:8000].rpartition("\n")[0]
    known = ("customer_name", "current_date", "transfer_number", "office_address", "opening_hours")
    return text, [name for name in known if name == "customer_name" or f"{{{{{name}}}}}" in text]


def _bullets(rng: random.Random, sentences: tuple[str, ...], how_many: int) -> list[str]:
    return [f"- {sentence}" for sentence in rng.sample(sentences, how_many)]


def _steps(rng: random.Random, language: str, services: tuple[str, ...]) -> list[str]:
    steps = STEPS[language]
    return [f"{steps[index]}: {rng.choice(services)}." for index in sorted(rng.sample(range(len(steps)), 4))]


def _dialogue(rng: random.Random, language: str, services: tuple[str, ...]) -> list[str]:
    caller, assistant = SPEAKERS[language]
    lines = []
    for _ in range(rng.randint(2, 5)):
        time = f"{rng.randint(8, 18)}:{rng.choice(('00', '15', '30'))}"
        lines.append(f"{caller}: {rng.choice(services)}, {time}?")
        lines.append(f"{assistant}: {rng.choice(services)}, {time}, {{{{customer_name}}}}.")
        lines.append(f"  ({rng.choice(SENTENCES[language])})")
    return lines


def _voice(rng: random.Random, language: str, voices: list[Record]) -> Record | None:
    fitting = [voice for voice in voices if str(voice.get("language") or "en").startswith(language)]
    return rng.choice(fitting or voices) if voices else None


def _owner_of(voice: Record | None, users: list[Record]) -> Record | None:
    """The user whose voice it is; None where it was not cloned from anybody."""
    email = CLONED_VOICES.get(voice["voice_id"]) if voice else None
    return next((user for user in users if user["email"] == email), None)


def _phone(rng: random.Random, language: str, number: int) -> str:
    """A number in a range reserved for fiction; of a thousand assistants, no two have the same."""
    # Drawn but not used: what is drawn after it, so the rest of the account, stays as in earlier releases.
    _ = [rng.randint(0, 999 if language == "de" else 99) for _ in range(2 if language == "fr" else 1)]
    hundreds, rest = divmod(number, 100)
    if language == "de":
        return f"+49 30 23125 {number % 1000:03d}"
    if language == "fr":
        return f"+33 1 99 00 {hundreds % 100:02d} {rest:02d}"
    return f"+1{AREA_CODES[hundreds % len(AREA_CODES)]}55501{rest:02d}"


def _variables(rng: random.Random, names: list[str]) -> list[Any] | None:
    if rng.random() < 0.04:
        return None
    values = {"opening_hours": "Mon-Fri 8-18", "office_address": "12 Example Street", "transfer_number": "+12025550123"}
    if rng.random() < 0.5:
        return list(names)
    return [{"name": name, "value": values.get(name, rng.choice(("", None)))} for name in names]


def _states(rng: random.Random, language: str, services: tuple[str, ...], depth: int, most: int) -> list[Record]:
    nodes: list[Record] = []
    steps = STEPS[language]
    for index in range(rng.randint(1, most)):
        step, following = rng.choice(steps), rng.choice(steps)
        has_children = depth < 5 and rng.random() < 0.45
        nodes.append(
            {
                "state_id": f"state_{rng.getrandbits(24):06x}",
                "name": step,
                "description": rng.choice((f"{step}: {rng.choice(services)}", "", None)),
                "prompt": f"# {step}\n{rng.choice(SENTENCES[language])}\n→ {following}",
                "children": _states(rng, language, services, depth + 1, 2) if has_children else [],
                "parameters": rng.choice(({}, {}, {"required": ["customer_name"], "max_turns": rng.randint(2, 9)})),
                "position": {"x": depth * 240, "y": index * 120 + rng.choice((0, 0.5))},
                "tools": [_tool(rng) for _ in range(rng.choice((0, 0, 1, 2)))],
            }
        )
    return nodes


def _tool(rng: random.Random) -> Record:
    name, description, wanted = rng.choice(
        (
            ("book_appointment", "Books a slot in the calendar.", "slot"),
            ("find_customer", "Finds a customer by phone number.", "phone"),
            ("transfer_call", "Hands the call to a colleague.", "reason"),
            ("send_sms", "Sends the confirmation as a text message.", "text"),
            ("end_call", "Ends the call.", None),
        )
    )
    properties = {wanted: {"type": "string"}} if wanted else {}
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    tool: Record = {
        "type": "function",
        "functionId": f"fn_{rng.getrandbits(32):08x}",
        "function": {"name": name, "description": description, "parameters": parameters},
    }
    if name in CALLS:
        method, url = CALLS[name]
        tool["server"] = {"method": method, "url": url}
    return tool


def _tools_text(rng: random.Random) -> str | None:
    """The `tools` field: JSON in a string, empty, null, or text that is not JSON."""
    roll = rng.random()
    if roll < 0.35:
        return rng.choice((None, "", "[]"))
    if roll < 0.4:
        return "[{'name': 'end_call'}]"
    return json.dumps([_tool(rng) for _ in range(rng.randint(1, 3))], ensure_ascii=False)


def _post_analysis(rng: random.Random) -> str | None:
    wanted: list[Record] = [{"name": "intent", "type": "string"}, {"name": "was_booked", "type": "boolean"}]
    wanted.append({"name": "rating", "type": "integer", "max": rng.choice((5, 10))})
    some = json.dumps(wanted[: rng.randint(1, 3)])
    return rng.choice((None, "", "{}", some, json.dumps({"fields": wanted}, indent=2)))


def _faq(rng: random.Random, services: tuple[str, ...]) -> str:
    pairs = [{"question": f"{name}?", "answer": f"{rng.randrange(20, 400, 5)} €"} for name in services]
    return rng.choice((json.dumps(pairs, ensure_ascii=False), json.dumps(pairs, ensure_ascii=False)[:-4], "[]"))


def _domains(rng: random.Random, company: str) -> list[str]:
    slug = "".join(letter for letter in company.lower() if letter.isascii() and letter.isalnum())
    return [f"{slug}.example.com", f"www.{slug}.example.com", f"shop.{slug}.example.org"][: rng.randint(1, 3)]


# Faults of real configurations


def _undeclared_variable(record: Record) -> None:
    record["prompt"] += "\n- Greet the caller with {{loyalty_tier}} when it is known."


def _unused_variable(record: Record) -> None:
    record["variables"] = [*(record["variables"] or []), "fax_number"]


def _case_mismatch(record: Record) -> None:
    record["prompt"] += "\n- Address the caller as {{Customer_Name}}."


def _recording_without_notice(record: Record) -> None:
    record["call_recording_enabled"] = True
    record["begin_message"] = "Hello, how can I help?"


def _secret_in_prompt(record: Record) -> None:
    record["prompt"] += "\n- The calendar answers to the key sk-demo-0000-not-a-real-key."


def _contact_in_prompt(record: Record) -> None:
    record["prompt"] += "\n- Complaints go to desk@example.com or +1 202 555 0147."


def _open_domains(record: Record) -> None:
    record["chatbot_whitelisted_domains"] = ["*", "localhost", "http://127.0.0.1:3000", "*.example.com"]


def _odd_colour(record: Record) -> None:
    record["chatbot_accent_color"] = "blue-ish"


def _twin_states(record: Record) -> None:
    record["llm_states"] = [
        {"state_id": "start", "name": "Start", "description": "", "prompt": "Greet.", "children": [], "parameters": {},
         "position": {"x": 0, "y": 0}, "tools": []},
        {"state_id": "start", "name": "Start (copy)", "description": "", "prompt": "Greet.", "children": [],
         "parameters": {}, "position": {"x": 240, "y": 0}, "tools": []},
    ]  # fmt: skip


def _empty_state(record: Record) -> None:
    record["llm_states"] = [{"state_id": "", "name": "", "prompt": "", "children": [], "tools": []}, {}]


def _no_timezone(record: Record) -> None:
    record["timezone"] = ""


def _no_voice(record: Record) -> None:
    record["voice"] = None


def _no_name(record: Record) -> None:
    record["name"] = ""


def _no_prompt(record: Record) -> None:
    record["prompt"] = ""


FAULTS: Final[tuple[Callable[[Record], None], ...]] = (
    _undeclared_variable, _unused_variable, _case_mismatch, _recording_without_notice, _secret_in_prompt,
    _contact_in_prompt, _open_domains, _odd_colour, _twin_states, _empty_state, _no_timezone, _no_voice, _no_name,
    _no_prompt,
)  # fmt: skip


# Faults of settings and tools


def _call(name: str, url: str, **more: Any) -> Record:
    function = {"name": name, "description": f"Calls {name}.", "parameters": {"type": "object", "properties": {}}}
    server = {"method": "POST", "url": url, **more}
    return {"type": "function", "functionId": f"fn_{name}", "function": function, "server": server}


def _state_with(tool: Record) -> Record:
    return {"state_id": "lookup", "name": "Lookup", "description": "", "prompt": "Look it up.", "children": [],
            "parameters": {}, "position": {"x": 0, "y": 0}, "tools": [tool]}  # fmt: skip


def _tool_over_http(record: Record) -> None:
    record["tools"] = json.dumps([_call("check_stock", "http://stock.example.com/v1/items")])


def _state_tool_over_http(record: Record) -> None:
    record["llm_states"] = [_state_with(_call("check_stock", "http://stock.example.com/v1/items"))]


def _private_state_tool(record: Record) -> None:
    record["llm_states"] = [_state_with(_call("open_ticket", "https://127.0.0.1:9000/tickets"))]


def _secret_in_state_tool(record: Record) -> None:
    headers = {"Authorization": "Bearer demo-0000-not-a-real-token"}
    record["llm_states"] = [_state_with(_call("open_ticket", "https://tickets.example.com/v1", headers=headers))]


def _unknown_timezone(record: Record) -> None:
    record["timezone"] = "Europe/Berlinn"


def _voice_out_of_range(record: Record) -> None:
    record["voice_stability"] = 50


def _single_prompt_with_states(record: Record) -> None:
    record["assistant_type"] = "single_prompt"
    record["llm_states"] = [_state_with(_call("find_invoice", "https://billing.example.com/v1/invoices"))]


def _shared_phone_number(record: Record) -> None:
    record["phone_number"] = "+1 (202) 555-0199"


def _foreign_cloned_voice(record: Record) -> None:
    record["voice"] = next(voice for voice in voices() if voice["voice_id"] == "vc_greta_clone")
    record["user"] = next(user for user in users() if user["email"] == "rafael.duarte@example.com")


SETTINGS_FAULTS: Final[tuple[Callable[[Record], None], ...]] = (
    _tool_over_http, _state_tool_over_http, _private_state_tool, _secret_in_state_tool, _unknown_timezone,
    _voice_out_of_range, _single_prompt_with_states, _shared_phone_number, _foreign_cloned_voice,
)  # fmt: skip


def add_fault(rng: random.Random, number: int, record: Record, previous: Record | None) -> None:
    """Of each seven assistants, one gets one of `FAULTS` in turn, and another one of `SETTINGS_FAULTS`; some repeat the
    prompt of the assistant before, word for word or with a sentence more."""
    if number % 7 == 3:
        FAULTS[number // 7 % len(FAULTS)](record)
    elif number % 7 == 5:
        SETTINGS_FAULTS[number // 7 % len(SETTINGS_FAULTS)](record)
    elif number % 29 == 12 and previous and rng.random() < 0.9:
        record["prompt"] = previous["prompt"]
    elif number % 29 == 18 and previous:
        record["prompt"] = f"{previous['prompt']}\n- {EDITS[number % len(EDITS)]}"
