"""Read models of other formats as OpenVINO models. One module for each format; ``formats`` chooses."""
