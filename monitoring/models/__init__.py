"""One file a noun; what a package outside needs is imported from here."""

from monitoring.models.alert import (
    Alert,
    AlertChange,
    AlertMute,
    AlertNotice,
    AlertRoute,
    AlertRule,
    Level,
    QueueLook,
)
from monitoring.models.exception import ExceptionEvent, ExceptionGroup, ExceptionItem
from monitoring.models.exception_act import (
    ExceptionJob,
    ExceptionJobItem,
    Mention,
    PayloadOverride,
    Snooze,
    WriteOff,
    WriteOffItem,
)
from monitoring.models.exception_rule import Classification, ExceptionSweep, RoutingRule
from monitoring.models.expectation import (
    Exclusion,
    Expectation,
    ExpectationPosition,
    ServiceLevelDay,
    StaleAcknowledgement,
    StaleCount,
)
from monitoring.models.measure import Measure, MeasureValue
from monitoring.models.period import AwaitingApproval, CloseSignature, LateDecision, LatePolicy, Period, PeriodStatus
from monitoring.models.reconciliation import (
    Reconciliation,
    ReconciliationGap,
    ReconciliationMatch,
    ReconciliationPeriod,
    ReconciliationRun,
    ReconciliationTotal,
)
from monitoring.models.term_measurement import SemanticDrift, TermMeasurement
from monitoring.models.thread import ThreadVisit

__all__ = [
    "Alert",
    "AlertChange",
    "AlertMute",
    "AlertNotice",
    "AlertRoute",
    "AlertRule",
    "AwaitingApproval",
    "Classification",
    "CloseSignature",
    "ExceptionEvent",
    "ExceptionGroup",
    "ExceptionItem",
    "ExceptionJob",
    "ExceptionJobItem",
    "ExceptionSweep",
    "Exclusion",
    "Expectation",
    "ExpectationPosition",
    "LateDecision",
    "LatePolicy",
    "Level",
    "Measure",
    "MeasureValue",
    "Mention",
    "PayloadOverride",
    "Period",
    "PeriodStatus",
    "QueueLook",
    "Reconciliation",
    "ReconciliationGap",
    "ReconciliationMatch",
    "ReconciliationPeriod",
    "ReconciliationRun",
    "ReconciliationTotal",
    "RoutingRule",
    "SemanticDrift",
    "ServiceLevelDay",
    "Snooze",
    "StaleAcknowledgement",
    "StaleCount",
    "TermMeasurement",
    "ThreadVisit",
    "WriteOff",
    "WriteOffItem",
]
