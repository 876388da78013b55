"""The pytest plugin: options, fixtures and hooks. Everything it does can be had without pytest.

What is heavy is imported when a fixture first needs it, since this module is imported by every
pytest run of an environment that seatrial is installed in.
"""

from seatrial.plugin.fixtures import (
    k8s_build_image,
    k8s_cluster,
    k8s_cluster_options,
    k8s_deploy,
    k8s_events,
    k8s_http,
    k8s_image,
    k8s_image_options,
    k8s_namespace,
    k8s_namespace_options,
    k8s_page,
    k8s_settings,
)
from seatrial.plugin.hooks import (
    pytest_configure,
    pytest_fixture_setup,
    pytest_report_header,
    pytest_runtest_makereport,
    pytest_sessionstart,
)
from seatrial.plugin.options import pytest_addoption
from seatrial.plugin.recording import pytest_terminal_summary
from seatrial.plugin.sharing import pytest_configure_node, pytest_sessionfinish

__all__ = [
    "k8s_build_image",
    "k8s_cluster",
    "k8s_cluster_options",
    "k8s_deploy",
    "k8s_events",
    "k8s_http",
    "k8s_image",
    "k8s_image_options",
    "k8s_namespace",
    "k8s_namespace_options",
    "k8s_page",
    "k8s_settings",
    "pytest_addoption",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_fixture_setup",
    "pytest_report_header",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
]
