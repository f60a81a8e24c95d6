"""Operators that OpenVINO does not know, expressed in operators that it does. One module for each operator."""
