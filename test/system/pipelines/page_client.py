"""The client of Roboflow's "Stream Management" page, its functions verbatim; then it does what the page says."""
import json
import sys
import time

# --- the page ---
import requests
from typing import Optional

URL = "http://127.0.0.1:8080"

def list_pipelines() -> dict:
    response = requests.get(f"{URL}/list_pipelines")
    return response.json()


def get_pipeline_status(pipeline_id: str) -> dict:
    response = requests.get(f"{URL}/status/{pipeline_id}")
    return response.json()


def pause_pipeline(pipeline_id: str) -> dict:
    response = requests.post(f"{URL}/pause/{pipeline_id}")
    return response.json()


def resume_pipeline(pipeline_id: str) -> dict:
    response = requests.post(f"{URL}/resume/{pipeline_id}")
    return response.json()

def terminate_pipeline(pipeline_id: str) -> dict:
    response = requests.post(f"{URL}/terminate/{pipeline_id}")
    return response.json()

def initialise_pipeline(
    video_reference: str,
    model_id: str,
    api_key: str,
    sink_host: str,
    sink_port: int,
    max_fps: Optional[int] = None,
) -> dict:
    response = requests.post(
        f"{URL}/initialise",
        json={
            "type": "init",
            "sink_configuration": {
                "type": "udp_sink",
                "host": sink_host,
                "port": sink_port,
            },
            "video_reference": video_reference,
            "model_id": model_id,
            "api_key": api_key,
            "max_fps": max_fps,

        },
    )
    return response.json()
# --- end of the page ---


URL = sys.argv[1]
video, sink_port = sys.argv[2], int(sys.argv[3])
started = initialise_pipeline(video, "detect", "YOUR-API-KEY", "127.0.0.1", sink_port, max_fps=10)  # a clip lasts longer than what is asked
pipeline_id = started["context"]["pipeline_id"]


def state() -> str:
    report = get_pipeline_status(pipeline_id)["report"]
    return report["sources_metadata"][0]["state"]


deadline = time.monotonic() + 30
while state() != "RUNNING" and time.monotonic() < deadline:
    time.sleep(0.05)
told = {
    "started": started,
    "listed": list_pipelines()["pipelines"],
    "paused": pause_pipeline(pipeline_id)["status"],
    "paused_state": state(),
    "paused_again": pause_pipeline(pipeline_id),
    "resumed": resume_pipeline(pipeline_id)["status"],
    "report": get_pipeline_status(pipeline_id)["report"],
}
while get_pipeline_status(pipeline_id)["report"]["millrace"]["results"] <= 10 and time.monotonic() < deadline:
    time.sleep(0.05)
told["terminated"] = terminate_pipeline(pipeline_id)["status"]
told["terminated_again"] = terminate_pipeline(pipeline_id)
told["left"] = list_pipelines()["pipelines"]
print(json.dumps(told))
