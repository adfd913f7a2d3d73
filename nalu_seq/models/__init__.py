"""Models: an encoder, a head and a unit put together with Keras alone."""

from nalu_seq.models.build import Stream, build, build_stream

__all__ = ["Stream", "build", "build_stream"]
