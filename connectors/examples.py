"""A short declaration to start from, for each protocol that is described on the spot; shown beside the form."""

from __future__ import annotations

EXAMPLES = {
    "rest": """\
name: acme_time
label: Acme Time
category: psa
protocol: rest
time_zone: Europe/London
config:
  site: {title: Site address, format: uri, example: "https://acme.example.com"}
  token: {title: API token, type: secret}
base_url: ${config.site}/api/v2
auth: {type: bearer, token: "${secret.token}"}
check: {path: /me, who: email}
streams:
  projects:
    path: /projects
    records: data
    key: id
    paging: {type: page, page_param: page, size_param: per_page, size: 100}
    incremental: {cursor: updated_at, query: {updated_since: "${cursor}"}}
""",
    "jsonrpc": """\
name: acme_erp
label: Acme ERP
category: erp
protocol: jsonrpc
time_zone: UTC
config:
  site: {title: Site address, format: uri, example: "https://erp.example.com"}
  token: {title: API key, type: secret}
base_url: ${config.site}/jsonrpc
auth: {type: bearer, token: "${secret.token}"}
streams:
  invoices:
    call: invoice.search
    params: [{limit: "${limit}", offset: "${offset}"}]
    records: invoices
    key: id
    paging: {type: offset, size: 200}
""",
}
