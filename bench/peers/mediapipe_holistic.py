"""MediaPipe's own Holistic on a video, for bench/holistic.ts: python mediapipe_holistic.py VIDEO

Each line on stdin is one run over the whole video with a new Holistic (model_complexity 1), the program of MediaPipe's own guide:
frames by OpenCV, BGR to RGB, process, and with "draw" the points drawn as there. Each run answers with a line of JSON: the time
after each frame and the CPU time of the process, both in seconds.
"""
import json
import resource
import sys
import time

import cv2
import mediapipe as mp

holistic, drawing, styles = mp.solutions.holistic, mp.solutions.drawing_utils, mp.solutions.drawing_styles


def draw(image, found):
    drawing.draw_landmarks(image, found.face_landmarks, holistic.FACEMESH_CONTOURS, landmark_drawing_spec=None,
                           connection_drawing_spec=styles.get_default_face_mesh_contours_style())
    drawing.draw_landmarks(image, found.pose_landmarks, holistic.POSE_CONNECTIONS,
                           landmark_drawing_spec=styles.get_default_pose_landmarks_style())
    for hand in (found.left_hand_landmarks, found.right_hand_landmarks):
        drawing.draw_landmarks(image, hand, holistic.HAND_CONNECTIONS)


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run(video, drawn):
    times = []
    capture = cv2.VideoCapture(video)
    with holistic.Holistic(model_complexity=1) as engine:
        begun = cpu_seconds()
        while True:
            ok, image = capture.read()
            if not ok:
                break
            found = engine.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            if drawn:
                draw(image, found)
            times.append(time.perf_counter())
        used = cpu_seconds() - begun
    capture.release()
    return dict(times=times, cpu=used)


for line in sys.stdin:
    print(json.dumps(run(sys.argv[1], line.strip() == 'draw')), flush=True)
