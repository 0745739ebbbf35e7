"""Names from which the firm is put together. Every person, client and address here is invented."""

GIVEN = (
    "Amelia", "Tomasz", "Zoë", "Marcus", "Ingrid", "Ravi", "Chloé", "Samuel", "Łucja", "Henrik",
    "Priya", "Óscar", "Beatrix", "Jonas", "Naomi", "Søren", "Farah", "Gareth", "Mei", "Anton",
    "Siân", "Kwame", "Elif", "Patrick", "Yuki", "Leonie", "Diego", "Hanna", "Owen", "Thuỳ",
    "Isobel", "Matteo", "Grace", "Björn", "Leila", "Callum", "Nadia", "Viktor", "Rosa", "Emeka",
)  # fmt: skip
FAMILY = (
    "Harrow", "Vale", "Ashdown", "Brandt", "Castellan", "Dunmore", "Eriksen", "Fairweather", "Gallagher", "Hofmann",
    "Iyer", "Jankowska", "Kettering", "Lindqvist", "Mbeki", "Nørgaard", "O'Shea", "Pemberton", "Quayle", "Rossi",
    "Steinmetz", "Thackeray", "Underhill", "Vasquez", "Wetherby", "Yamada", "Zielinski", "Abbott", "Bellweather",
    "Chandra", "Drummond", "Engel", "Farouk", "Greaves", "Holloway", "Ivers", "Jessop", "Krüger", "Lockwood", "Marlowe",
)  # fmt: skip

# (name, country, city, street, postcode, industry): the first three are the clients of the small profile.
CLIENTS = (
    ("Northgate Logistics Limited", "GB", "Leeds", "14 Canal Wharf", "LS11 5PS", "Transport"),
    ("Alder & Birch Lebensmittel GmbH", "DE", "Hamburg", "Speicherstraße 9", "20457", "Food"),
    ("Calder Rail Systems Inc", "US", "Chicago", "201 Depot Avenue", "60607", "Rail"),
    ("Penrose Water plc", "GB", "Bristol", "3 Harbour Row", "BS1 4RT", "Utilities"),
    ("Falkenried Optik GmbH", "DE", "Jena", "Lichtweg 22", "07745", "Manufacturing"),
    ("Blue Heron Insurance Inc", "US", "Hartford", "88 State Street", "06103", "Insurance"),
)

ENGAGEMENTS = (
    "Depot planning", "Finance operating model", "Data platform", "Warehouse roll-out", "Service desk review",
    "Procurement savings", "Timetable analytics", "Compliance programme", "Pricing study", "Plant onboarding",
    "Contract review", "Network design", "Cash forecasting", "Claims automation", "Site survey", "Spare parts",
    "Energy audit", "Skills register", "Quality system", "Route pricing",
)  # fmt: skip
PHASES = ("Discover", "Deliver")
TASKS = (("Interviews", "Current state"), ("Build", "Workshops", "Handover"))
NOTES = (
    "Workshop with the client team", "Drafted the findings", "Model reviewed with finance", "Data quality checks",
    "Prepared the steering committee", "Interviews, second round", "Handover notes written", "Travel day",
)  # fmt: skip
EXPENSES = (("Travel", 80, 340), ("Hotel", 95, 210), ("Meals", 12, 60), ("Software", 20, 120))

# role -> (grade, bill rate, cost rate) in GBP; other currencies are derived in `clients.py`.
ROLES = {
    "Partner": ("P1", 260, 118),
    "Principal": ("C4", 205, 92),
    "Senior Consultant": ("C3", 165, 71),
    "Consultant": ("C2", 130, 54),
    "Analyst": ("C1", 95, 38),
}
LEADER_ROLE = "Managing Director"
SUPPORT_ROLES = (
    "Finance Manager", "People Partner", "Office Manager", "Resource Manager", "Billing Analyst", "Legal Counsel",
    "IT Administrator",
)  # fmt: skip
