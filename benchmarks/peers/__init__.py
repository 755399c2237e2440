"""The public implementations of The Cannon, each in an environment of its own, on the same data.

What runs in those environments (:mod:`benchmarks.peers.annieslasso`, :mod:`benchmarks.peers.thecannon`) imports nothing
of the project but :mod:`benchmarks.clock` and :mod:`benchmarks.peers.handover`.
"""
