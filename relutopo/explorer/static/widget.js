/*
 * A page in a notebook with a kernel: it asks for the frames that it does not hold, and the kernel
 * makes them. Of the notebook it knows the model that anywidget passes, and nothing else.
 */
function render({ model, el }) {
  const page = document.createElement("iframe");
  page.setAttribute("sandbox", "allow-scripts allow-downloads");
  page.title = model.get("title");
  page.width = "100%";
  page.height = String(model.get("height"));
  page.style.border = "0";
  page.srcdoc = model.get("html");

  const ask = ({ source, data }) => {
    if (source === page.contentWindow && Number.isInteger(data?.wanted)) {
      model.send({ wanted: data.wanted });
    }
  };
  const answer = (message) => page.contentWindow?.postMessage(message, "*");
  addEventListener("message", ask);
  model.on("msg:custom", answer);
  el.append(page);
  return () => {
    removeEventListener("message", ask);
    model.off("msg:custom", answer);
  };
}

export default { render };
