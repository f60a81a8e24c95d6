"""The way of a frame once more, in plain float64 numpy: slow, without a trick, and each formula with its source.

What the product computes in bytes, with OpenCV, OpenVINO and a kernel in C, has to be this picture to 50 dB.
Nothing here imports the part of the product that it is to judge.
"""
