"""Keep a book's interactive figures alive in static HTML.

A Sphinx extension for books of executed notebooks. It knows Jupyter's widget protocol and nothing of what the
figures show. It

- hosts every anywidget view without a kernel, from the state which the executed notebook holds
  (``assets/livepage.js``);
- puts a poster (a picture with alternative text) where the view will stand, for readers without JavaScript;
- serves MathJax and the icons from the book itself, so that a page asks no other host for anything;
- links to the repository and to Binder by the checkout's own remote;
- fails the build, saying where and what to do, when a page could not keep its promises (``livepage.checks``).
"""

from livepage.extension import setup

__all__ = ["setup"]
