"""Says how good and how fast models are, with figures that can be compared.

``pairs`` finds pictures and their truth, ``segmenter`` and ``labeller`` run a model on them as the daemon does.
``metrics``, ``classes`` and ``flicker`` compare, ``job`` joins, ``report``, ``sheet`` and ``worst`` show.
``candidates``, ``timing`` and ``operators`` measure speed.
"""
