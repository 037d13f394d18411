"""GStreamer's RTSP server: /play gives a moving ball as H.264, what is published to /record goes to the file argv[1] (MPEG-TS).

Prints its port. Debian's own Python has its bindings: /usr/bin/python3.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")

play = GstRtspServer.RTSPMediaFactory()
play.set_launch(
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1,format=I420 "
    "! openh264enc gop-size=15 ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)
play.set_shared(True)

record = GstRtspServer.RTSPMediaFactory()
record.set_launch(f"( rtph264depay name=depay0 ! h264parse ! mpegtsmux ! filesink sync=false location={sys.argv[1]} )")
record.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)

mounts = server.get_mount_points()
mounts.add_factory("/play", play)
mounts.add_factory("/record", record)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
