"""In which order elements must stand: the tenant checks its messages against its schema, as the real one does."""

from __future__ import annotations

from collections.abc import Mapping

_LISTED = ("Request_References", "Request_Criteria", "Response_Filter", "Response_Group")
RANGE = ("Updated_From", "Updated_Through", "Effective_From", "Effective_Through")
# element -> the elements that it may hold, in their order
ORDERS: Mapping[str, tuple[str, ...]] = {
    "Get_Workers_Request": _LISTED,
    "Get_Organizations_Request": _LISTED,
    "Get_Cost_Centers_Request": _LISTED,
    "Get_Projects_Request": _LISTED,
    "Response_Filter": ("As_Of_Effective_Date", "As_Of_Entry_DateTime", "Page", "Count"),
    "Transaction_Log_Criteria_Data": ("Transaction_Date_Range_Data", "Transaction_Type_References"),
    "Transaction_Date_Range_Data": RANGE,
    "Put_Cost_Center_Request": ("Cost_Center_Reference", "Cost_Center_Data"),
    "Cost_Center_Data": (
        *("Effective_Date", "Organization_Data", "Organization_Subtype_Reference", "Organization_Container_Reference"),
        "Restricted_to_Companies_Reference",
    ),
    "Organization_Data": (
        *("ID", "Include_Organization_ID_in_Name", "Organization_Name", "Include_Organization_Code_in_Name"),
        *("Organization_Code", "Availability_Date", "Organization_Active"),
    ),
    "Submit_Project_Request": ("Business_Process_Parameters", "Project_Reference", "Project_Data"),
    "Project_Data": (
        *("Workday_Project_ID", "Project_Hierarchy_Reference", "Project_Name", "Inactive", "Project_Status_Reference"),
        *("Project_Owner_Reference", "Start_Date", "End_Date", "Currency_Reference", "Billable", "Description"),
        *("Overall_Percent_Complete", "Company_Reference", "Customer_Reference", "External_Project_Reference_Name"),
        *("Estimated_Budget", "Estimated_Revenue"),
    ),
    "Import_Reported_Time_Blocks_Request": ("Batch_ID", "Reported_Time_Block_Data"),
    "Reported_Time_Block_Data": (
        *("Worker_Reference", "Time_Entry_Code_Reference", "Project_Reference", "Project_Task_Reference", "Date"),
        *("Quantity", "In_Date_Time", "Out_Date_Time", "Cost_Center_Reference", "Comment"),
    ),
}
