"""``edgeseg bench streams``: what the streams of a configuration cost on this machine, and how many of them it carries.

``job`` joins the parts: ``material`` (what is played), ``stages`` (CPU of each step), ``trial`` (whole daemons under
watch), ``capacity`` (how many hold), ``advice``, and ``report`` and ``chart``, which show it.
"""
